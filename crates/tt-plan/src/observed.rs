//! What is: the live state of one environment in our own words, read once and then reasoned about without I/O.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tt_environment::{AccountId, AlarmName, ImageDigest, Minutes, ReleaseName, SecretName, Strategy};

use crate::{
    record::{Lease, Record},
    share::Share,
};

/// Everything a planner may base a decision on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// When the observation was finished, by the observer's clock.
    pub at: OffsetDateTime,
    /// Who the credentials belong to.
    pub caller: Caller,
    /// The ECS service with its routes and its deployment in flight.
    pub service: ServiceState,
    /// The alarms the environment names, in its order.
    pub alarms: Vec<Alarm>,
    /// Secrets the environment names that Secrets Manager does not know.
    pub missing_secrets: Vec<SecretName>,
    /// Deploy records, newest first.
    pub history: Vec<Record>,
    /// Who holds the deploy lock, expired or not.
    pub lease: Option<Lease>,
}

/// The identity AWS sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account the credentials belong to.
    pub account: AccountId,
    /// The principal's ARN.
    pub arn: String,
}

/// An Amazon Resource Name, kept whole because AWS only ever takes it back whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Arn(String);

impl Arn {
    /// Takes any text: an ARN is opaque to us.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What people recognise it by: the part after the first slash (`task-tracker:7`), or after the last colon where there is none.
    pub fn short(&self) -> &str {
        self.0
            .split_once('/')
            .map_or_else(|| self.0.rsplit(':').next().unwrap_or(&self.0), |(_, rest)| rest)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The service as ECS and the load balancer describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    /// The service's ARN.
    pub arn: Arn,
    /// The task definition that serves users when nothing is in flight.
    pub live: Revision,
    /// How many tasks the service wants.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// The deployment in flight, if any.
    pub deployment: Option<Deployment>,
    /// The rollout settings that the service has now.
    pub rollout: LiveRollout,
    /// How requests reach the tasks.
    pub traffic: TrafficSplit,
    /// Roles the service or its task definition should name and does not, in words ("task role", …).
    pub missing_roles: Vec<&'static str>,
}

/// A registered task definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The task definition's ARN, which carries family and revision number.
    pub task_definition: Arn,
    /// The image of the container that deploys replace.
    pub image: String,
    /// The digest in `image`, when it is pinned.
    pub digest: Option<ImageDigest>,
    /// The release that `tt-ops` tagged it with.
    pub release: Option<ReleaseName>,
}

impl Revision {
    /// The release's name, or the task definition's where nobody gave one.
    pub fn label(&self) -> String {
        self.release
            .as_ref()
            .map_or_else(|| self.task_definition.short().to_owned(), ToString::to_string)
    }
}

/// A service deployment in flight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The service deployment's ARN.
    pub arn: Arn,
    /// The revision users had when it started; absent for a service's first.
    pub from: Option<Revision>,
    /// The revision it brings.
    pub to: Revision,
    /// The target group of the new revision's tasks.
    pub target_group: Option<Arn>,
    /// Where it is.
    pub status: DeploymentStatus,
    /// The stage ECS reports; absent before the first.
    pub stage: Option<LifecycleStage>,
    /// The share of production requests that the new revision was given.
    pub shifted: Share,
    /// The pause that waits for an answer.
    pub pause: Option<Pause>,
    /// When ECS created it.
    pub created_at: OffsetDateTime,
    /// The strategy that this deployment runs with.
    pub rollout: LiveRollout,
}

/// A service deployment's status (Amazon ECS API Reference, `ServiceDeployment`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeploymentStatus {
    /// Created, not begun.
    Pending,
    /// Going forward.
    InProgress,
    /// On the way back, or about to be.
    RollingBack {
        /// ECS's own words.
        reason: String,
    },
    /// Ended well.
    Successful,
    /// Ended by a stop, or superseded by another deployment.
    Stopped {
        /// ECS's own words.
        reason: String,
    },
    /// Ended on the previous revision.
    RolledBack {
        /// ECS's own words.
        reason: String,
    },
    /// The way back failed too.
    RollbackFailed {
        /// ECS's own words.
        reason: String,
    },
}

impl DeploymentStatus {
    /// Whether ECS is done with it.
    pub fn ended(&self) -> bool {
        match self {
            Self::Pending | Self::InProgress | Self::RollingBack { .. } => false,
            Self::Successful | Self::Stopped { .. } | Self::RolledBack { .. } | Self::RollbackFailed { .. } => true,
        }
    }
}

/// The stages of a blue/green deployment in ECS's order (Amazon ECS Developer Guide, "Lifecycle stages").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifecycleStage {
    /// More than one revision is active; ECS settles that first.
    ReconcileService,
    /// Before the new tasks start.
    PreScaleUp,
    /// The new tasks start.
    ScaleUp,
    /// The new tasks run and are healthy.
    PostScaleUp,
    /// The test listener moves to them.
    TestTrafficShift,
    /// The test listener reaches them: the smoke test's moment.
    PostTestTrafficShift,
    /// Before each step of production traffic: the analysis' moment.
    PreProductionTrafficShift,
    /// Production traffic moves.
    ProductionTrafficShift,
    /// All production traffic has moved.
    PostProductionTrafficShift,
    /// Both revisions run; the way back is one change of weights.
    BakeTime,
    /// The old tasks end.
    CleanUp,
}

impl LifecycleStage {
    /// All, in ECS's order.
    pub const ALL: [Self; 11] = [
        Self::ReconcileService,
        Self::PreScaleUp,
        Self::ScaleUp,
        Self::PostScaleUp,
        Self::TestTrafficShift,
        Self::PostTestTrafficShift,
        Self::PreProductionTrafficShift,
        Self::ProductionTrafficShift,
        Self::PostProductionTrafficShift,
        Self::BakeTime,
        Self::CleanUp,
    ];

    /// As ECS spells it, the word that a person finds in the console too.
    pub fn ecs_name(self) -> &'static str {
        match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }

    /// The stage that ECS spells so.
    pub fn from_ecs_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.ecs_name() == name)
    }
}

/// A PAUSE hook that holds a deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Names the hook's instance; each step has a fresh one.
    pub hook: String,
    /// Where it holds.
    pub stage: LifecycleStage,
    /// When ECS gives up and rolls back.
    pub expires_at: Option<OffsetDateTime>,
}

/// Rollout settings as the service carries them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRollout {
    /// How traffic moves.
    pub strategy: LiveStrategy,
    /// How long both revisions stay.
    pub bake: Minutes,
    /// The stages with a PAUSE hook, in ECS's order.
    pub pauses: Vec<LifecycleStage>,
    /// How long a PAUSE waits before it rolls back; absent without hooks.
    pub decision_timeout: Option<Minutes>,
}

/// ECS's deployment strategies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveStrategy {
    /// Replaces tasks in place; no second target group.
    Rolling,
    /// Moves traffic between two target groups.
    Shifting(Strategy),
}

/// How the load balancer routes to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrafficSplit {
    /// Where users come in; absent when the service has no production listener rule.
    pub production: Option<Route>,
    /// Where smoke tests come in.
    pub test: Option<Route>,
    /// The service's one or two target groups.
    pub groups: Vec<TargetGroup>,
}

/// One listener rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The rule's ARN.
    pub rule: Arn,
    /// `http://host:port` of its listener.
    pub base_url: String,
    /// Target groups with their relative weights, 0 to 999.
    pub weights: Vec<(Arn, u32)>,
    /// Whether the rule pins clients to a target group, which overrides weights.
    pub sticky: bool,
}

/// A target group with the health of its targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetGroup {
    /// The target group's ARN.
    pub arn: Arn,
    /// Targets that pass their checks.
    pub healthy: u32,
    /// Targets not draining.
    pub total: u32,
}

/// A CloudWatch alarm named by the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: AlarmName,
    /// Its state.
    pub state: AlarmState,
}

/// What CloudWatch says of an alarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlarmState {
    /// Quiet.
    Ok,
    /// Firing, with CloudWatch's reason.
    Firing {
        /// CloudWatch's own words.
        reason: String,
    },
    /// Too little data to tell.
    InsufficientData,
    /// No alarm of that name.
    Missing,
}

impl Observed {
    /// The records of runs that gave users another release, newest first.
    pub fn deploys(&self) -> impl Iterator<Item = &Record> {
        self.history.iter().filter(|record| record.command.moves_users())
    }

    /// The revision that users get now, or will get when a deployment under way has been taken back.
    pub fn users_are_on(&self) -> &Revision {
        match &self.service.deployment {
            Some(Deployment {
                from: Some(from),
                status: DeploymentStatus::InProgress | DeploymentStatus::Pending | DeploymentStatus::RollingBack { .. },
                shifted,
                to,
                ..
            }) => {
                if shifted.is_whole() {
                    to
                } else {
                    from
                }
            }
            Some(_) | None => &self.service.live,
        }
    }
}

//! Services, their revisions and their deployments.

use std::collections::VecDeque;

use aws_sdk_ecs::types::{DeploymentConfiguration, LoadBalancer, NetworkConfiguration};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ServiceKey, Tags};
use crate::ecs::codec::Wire;
use crate::ecs::rollout::{End, Phase, Rollout, Share, Strategy};

/// A service shows its last hundred events (Amazon ECS API Reference, `Service`).
const EVENTS: usize = 100;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) cluster: String,
    pub(crate) arn: String,
    pub(crate) status: ServiceStatus,
    pub(crate) created: OffsetDateTime,
    pub(crate) desired: u32,
    /// ARN of the task definition that was asked for last.
    pub(crate) task_definition: String,
    pub(crate) configuration: Wire<DeploymentConfiguration>,
    pub(crate) load_balancers: Vec<Wire<LoadBalancer>>,
    pub(crate) network: Option<Wire<NetworkConfiguration>>,
    pub(crate) launch_type: String,
    /// Unhealthy targets of a task this young are not replaced.
    pub(crate) grace_seconds: i32,
    pub(crate) tags: Tags,
    /// Oldest first; deployments refer to them by ARN.
    pub(crate) revisions: Vec<Revision>,
    /// Oldest first; the last one says how many tasks each revision has, also long after it ended.
    pub(crate) deployments: Vec<Deployment>,
    /// Newest first.
    pub(crate) events: VecDeque<Event>,
    pub(crate) steadiness: Steadiness,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ServiceStatus {
    Active,
    /// Deleted, but tasks still run.
    Draining,
    Inactive,
}

/// Whether "has reached a steady state" has been said since the last change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Steadiness {
    Moving,
    Steady,
}

/// One configuration a service has had.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Revision {
    pub(crate) arn: String,
    /// `ecs-svc/…`, as in a service's `deployments`.
    pub(crate) deployment_id: String,
    pub(crate) task_definition: String,
    pub(crate) slot: Slot,
    pub(crate) load_balancers: Vec<Wire<LoadBalancer>>,
    pub(crate) network: Option<Wire<NetworkConfiguration>>,
    pub(crate) created: OffsetDateTime,
    pub(crate) images: Vec<Image>,
    pub(crate) failed_tasks: u32,
    /// Failures since a task was last healthy.
    pub(crate) failures_in_a_row: u32,
    /// The service scheduler waits longer after every failure in a row.
    pub(crate) next_start: Option<OffsetDateTime>,
}

/// Which of a service's two target groups a revision is behind. Deployments alternate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Slot {
    Primary,
    Alternate,
}

/// A container's image, with the digest that the tag meant when the revision was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) container: String,
    pub(crate) reference: String,
    pub(crate) digest: Option<String>,
}

/// Where a revision's tasks are registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LoadBalancerPort {
    pub(crate) target_group: String,
    pub(crate) container: String,
    pub(crate) port: u16,
}

/// A service deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) arn: String,
    pub(crate) created: OffsetDateTime,
    pub(crate) updated: OffsetDateTime,
    /// ARN of the revision that served before.
    pub(crate) source: Option<String>,
    pub(crate) target: String,
    pub(crate) configuration: Wire<DeploymentConfiguration>,
    pub(crate) rollout: Rollout,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) at: OffsetDateTime,
    pub(crate) message: String,
}

impl Slot {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Primary => Self::Alternate,
            Self::Alternate => Self::Primary,
        }
    }
}

impl ServiceStatus {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

impl Deployment {
    /// Whether it is on its way back to its source, or has arrived there.
    pub(crate) fn goes_back(&self) -> bool {
        match &self.rollout.phase {
            Phase::Back { .. } => true,
            Phase::Ended { end, .. } => matches!(end, End::RolledBack { .. }),
            Phase::Forward { .. } | Phase::Rolling { .. } => false,
        }
    }
}

impl Service {
    pub(crate) fn key(&self) -> ServiceKey {
        ServiceKey::new(&self.cluster, &self.name)
    }

    pub(crate) fn revision(&self, arn: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| revision.arn == arn)
    }

    pub(crate) fn revision_mut(&mut self, arn: &str) -> Option<&mut Revision> {
        self.revisions.iter_mut().find(|revision| revision.arn == arn)
    }

    pub(crate) fn current(&self) -> Option<&Deployment> {
        self.deployments.last()
    }

    /// The revision that the service is going to, or has come to: what ECS calls PRIMARY.
    pub(crate) fn primary(&self) -> Option<&Revision> {
        let current = self.current()?;
        let arn = if current.goes_back() {
            current.source.as_ref().unwrap_or(&current.target)
        } else {
            &current.target
        };
        self.revision(arn)
    }

    pub(crate) fn current_mut(&mut self) -> Option<&mut Deployment> {
        self.deployments.last_mut()
    }

    /// The revision that users meet: the next deployment's source.
    pub(crate) fn serving(&self) -> Option<&str> {
        let current = self.current()?;
        let Share { production, .. } = current.rollout.share();
        let rolling = matches!(current.rollout.plan.strategy, Strategy::Rolling(_));
        let target_serves = match &current.rollout.phase {
            Phase::Ended {
                end: End::RolledBack { .. },
                ..
            }
            | Phase::Rolling { .. } => false,
            Phase::Ended {
                end: End::Successful, ..
            } => true,
            // Half replaced and given up: the revision that worked is the one to go on from.
            Phase::Back { .. } | Phase::Ended { .. } if rolling => false,
            // A target that only part of the users met is given up for a newer one.
            Phase::Forward { .. } | Phase::Back { .. } | Phase::Ended { .. } => production >= 100.0,
        };
        match (&current.source, target_serves) {
            (Some(source), false) => Some(source),
            (_, true) | (None, _) => Some(&current.target),
        }
    }

    pub(crate) fn say(&mut self, at: OffsetDateTime, message: String) {
        self.events.push_front(Event {
            id: uuid::Uuid::new_v4().to_string(),
            at,
            message,
        });
        self.events.truncate(EVENTS);
    }
}

impl Revision {
    pub(crate) fn ports(&self) -> Vec<LoadBalancerPort> {
        self.load_balancers
            .iter()
            .filter_map(|balancer| port_in(&balancer.0, self.slot))
            .collect()
    }
}

/// Where tasks of a slot are registered. A service without a second target group has everything in the first.
fn port_in(balancer: &LoadBalancer, slot: Slot) -> Option<LoadBalancerPort> {
    let alternate = balancer
        .advanced_configuration()
        .and_then(|advanced| advanced.alternate_target_group_arn());
    let target_group = match slot {
        Slot::Primary => balancer.target_group_arn(),
        Slot::Alternate => alternate.or(balancer.target_group_arn()),
    }?;
    Some(LoadBalancerPort {
        target_group: target_group.to_owned(),
        container: balancer.container_name()?.to_owned(),
        port: u16::try_from(balancer.container_port()?).ok()?,
    })
}

//! A simulated account: ECS goes through its stages as time passes and waits at pauses, as the real one does. It is no mock: nothing asserts
//! which calls were made, only what the world looks like afterwards.

mod ecs;
mod fixtures;
mod ports;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use time::{OffsetDateTime, macros::datetime};
use tt_environment::{AccountId, Environment, Minutes, Percent, Strategy};
use tt_plan::{
    Arn, Caller, Deployment, DeploymentStatus, Lease, LiveRollout, LiveStrategy, Observed, Pause, Plan, Record, Route,
    Sample, ServiceState, Share, TargetGroup, TrafficSplit,
};

use crate::{Event, Executor, Halted, Intent, OneOffTask, Takeover, Until};
use ecs::Sim;
pub(super) use fixtures::{environment, holder, intent};
use fixtures::{release, revision};

pub(super) const BEGIN: OffsetDateTime = datetime!(2026-03-01 03:00 UTC);

/// What the new release is like, and what the world does to the run.
#[derive(Debug, Clone)]
pub(super) struct Script {
    /// What its target group does at a share of traffic.
    pub(super) sample: fn(Share) -> Sample,
    /// What the smoke test hears.
    pub(super) smoke_status: u16,
    /// What the migration task ends with.
    pub(super) migration: Option<i32>,
    /// What it prints.
    pub(super) says: Vec<&'static str>,
    /// Whether its tasks ever get healthy.
    pub(super) healthy: bool,
    /// Every so many reads of the deployment, one fails in a way that passes.
    pub(super) flaky_every: Option<u32>,
    /// The answer to the first write of the lock is lost; the repeated write finds its own.
    pub(super) loses_lock_answer: bool,
    /// Somebody else takes the deployment back when it has this share.
    pub(super) taken_back_at: Option<Share>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            sample: good,
            smoke_status: 200,
            migration: Some(0),
            says: Vec::new(),
            healthy: true,
            flaky_every: None,
            loses_lock_answer: false,
            taken_back_at: None,
        }
    }
}

pub(super) fn good(share: Share) -> Sample {
    if share == Share::NONE {
        Sample::default()
    } else {
        Sample {
            requests: 500,
            errors: 0,
            p95: Some(Duration::from_millis(20)),
        }
    }
}

pub(super) fn bad(share: Share) -> Sample {
    Sample {
        errors: 100,
        ..good(share)
    }
}

/// Everything that outlives a process.
#[derive(Debug, Clone)]
pub(super) struct World(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Tests run on tokio's paused clock, which jumps to the next timer.
    begun: tokio::time::Instant,
    script: Script,
    live: u32,
    registered: u32,
    deployment: Option<Sim>,
    records: BTreeMap<String, Record>,
    lease: Option<(Lease, u64)>,
    reads: u32,
    answers: u32,
    ran: Vec<OneOffTask>,
}

impl World {
    pub(super) fn new(script: Script) -> Self {
        Self(Arc::new(Mutex::new(State {
            begun: tokio::time::Instant::now(),
            script,
            live: 1,
            registered: 1,
            deployment: None,
            records: BTreeMap::new(),
            lease: None,
            reads: 0,
            answers: 0,
            ran: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The revision that all users have.
    pub(super) fn live(&self) -> u32 {
        self.state().live
    }

    pub(super) fn share(&self) -> Share {
        self.state()
            .deployment
            .as_ref()
            .map_or(Share::NONE, |deployment| deployment.share)
    }

    pub(super) fn started(&self) -> bool {
        self.state().deployment.is_some()
    }

    /// The one-off tasks that were started.
    pub(super) fn ran(&self) -> Vec<OneOffTask> {
        self.state().ran.clone()
    }

    pub(super) fn answers(&self) -> u32 {
        self.state().answers
    }

    pub(super) fn record(&self) -> Record {
        self.state().records.values().next_back().cloned().expect("a record")
    }

    pub(super) fn lease(&self) -> Option<Lease> {
        self.state().lease.as_ref().map(|(lease, _)| lease.clone())
    }

    pub(super) fn set_lease(&self, lease: Lease) {
        let mut state = self.state();
        let version = state.lease.as_ref().map_or(1, |(_, version)| version + 1);
        state.lease = Some((lease, version));
    }

    pub(super) fn plan_deploy(&self, environment: &Environment) -> Plan {
        let observed = self.state().observed();
        tt_plan::deploy(environment, &release(2), &observed, tt_plan::Consent::None).unwrap()
    }

    pub(super) fn plan_rollback(&self, environment: &Environment) -> Plan {
        let observed = self.state().observed();
        tt_plan::rollback(environment, &observed, &tt_plan::Target::Previous)
            .unwrap()
            .plan
    }

    /// Runs a plan to its end; events come back as one word each.
    pub(super) async fn run(
        &self,
        environment: &Environment,
        plan: &Plan,
        until: Until,
    ) -> (Result<tt_plan::Outcome, Halted>, Vec<Event>) {
        self.run_with(
            environment,
            plan,
            &intent(until, Takeover::Expired),
            std::future::pending(),
        )
        .await
    }

    pub(super) async fn run_with(
        &self,
        environment: &Environment,
        plan: &Plan,
        intent: &Intent,
        interrupt: impl Future<Output = ()>,
    ) -> (Result<tt_plan::Outcome, Halted>, Vec<Event>) {
        let events = Mutex::new(Vec::new());
        let executor = Executor {
            environment,
            cloud: self,
            journal: self,
            probe: self,
            clock: self,
        };
        let ended = executor
            .execute(plan, intent, interrupt, &|event| events.lock().unwrap().push(event))
            .await;
        (ended, events.into_inner().unwrap())
    }
}

fn group(name: &str) -> Arn {
    Arn::new(format!("arn:aws:elasticloadbalancing:r:0:targetgroup/{name}/1"))
}

fn live_rollout() -> LiveRollout {
    LiveRollout {
        strategy: LiveStrategy::Shifting(Strategy::AllAtOnce),
        bake: Minutes::new(10),
        pauses: Vec::new(),
        decision_timeout: None,
    }
}

impl State {
    fn now(&self) -> OffsetDateTime {
        BEGIN + self.begun.elapsed()
    }

    fn observed(&self) -> Observed {
        let route = |rule: &str| Route {
            rule: Arn::new(format!(
                "arn:aws:elasticloadbalancing:r:0:listener-rule/app/web/1/{rule}/1"
            )),
            base_url: format!("http://{rule}.example.com"),
            weights: vec![(group("blue"), 100), (group("green"), 0)],
            sticky: false,
        };
        let target_group = |name: &str| TargetGroup {
            arn: group(name),
            healthy: 2,
            total: 2,
        };
        Observed {
            at: self.now(),
            caller: Caller {
                account: AccountId::parse("123456789012").unwrap(),
                arn: "arn:aws:iam::123456789012:role/ci".to_owned(),
            },
            service: ServiceState {
                arn: Arn::new("arn:aws:ecs:r:1:service/web/web"),
                live: revision(self.live),
                desired: 2,
                running: 2,
                deployment: self
                    .deployment
                    .as_ref()
                    .map(|sim| self.deployment(sim))
                    .filter(|deployment| !deployment.status.ended()),
                rollout: live_rollout(),
                traffic: TrafficSplit {
                    production: Some(route("production")),
                    test: Some(route("test")),
                    groups: vec![target_group("blue"), target_group("green")],
                },
                missing_roles: Vec::new(),
            },
            alarms: Vec::new(),
            missing_secrets: Vec::new(),
            history: self.records.values().rev().cloned().collect(),
            lease: self.lease.as_ref().map(|(lease, _)| lease.clone()),
        }
    }

    fn deployment(&self, sim: &Sim) -> Deployment {
        let holds = sim.pauses.contains(&sim.stage) && !sim.answered && sim.status == DeploymentStatus::InProgress;
        Deployment {
            arn: Arn::new(format!("arn:aws:ecs:r:1:service-deployment/web/web/{}", sim.to)),
            from: Some(revision(self.live)),
            to: revision(sim.to),
            target_group: Some(group("green")),
            status: sim.status.clone(),
            stage: Some(sim.stage),
            shifted: sim.share,
            pause: holds.then(|| Pause {
                hook: format!("hook-{}", sim.hook),
                stage: sim.stage,
                expires_at: None,
            }),
            created_at: BEGIN,
            rollout: LiveRollout {
                strategy: LiveStrategy::Shifting(Strategy::Canary {
                    percent: Percent::parse("10%").unwrap(),
                    bake: Minutes::new(1),
                }),
                pauses: sim.pauses.clone(),
                ..live_rollout()
            },
        }
    }
}

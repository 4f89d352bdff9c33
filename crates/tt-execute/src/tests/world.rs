//! A simulated account: ECS goes through its stages as time passes and waits at pauses, as the real one does. It is no mock: nothing asserts
//! which calls were made, only what the world looks like afterwards.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use time::{OffsetDateTime, macros::datetime};
use tt_environment::{
    AccountId, AfterInconclusive, Analysis, Aws, BucketName, ClusterName, ContainerName, Credentials, Environment,
    EnvironmentName, Image, ImageDigest, Inconclusive, Lock, Migrations, Minutes, Percent, Pinning, Records, Region,
    Rehearsal, ReleaseName, Repository, Rollout, Service, ServiceName, SmokeRequest, SmokeTest, Strategy,
};
use tt_plan::{
    Arn, Caller, Deployment, DeploymentStatus, GivenBy, Holder, Lease, LifecycleStage as Stage, LiveRollout,
    LiveStrategy, Observed, Pause, PinnedImage, Plan, Record, Release, Revision, Route, RunningTasks, Sample,
    ServiceState, Share, TargetGroup, TrafficSplit,
};

use crate::{
    Answer, Clock, Cloud, Event, Evidence, Executor, Halted, Intent, Journal, OneOff, OneOffTask, PortError,
    PortErrorKind, Probe, Progress, Registration, Start, StoppedTask, Takeover, TaskArn, TaskLines, Until, Version,
};

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

/// A deployment of the simulated ECS.
#[derive(Debug, Clone)]
struct Sim {
    to: u32,
    stage: Stage,
    entered: OffsetDateTime,
    share: Share,
    schedule: Vec<Share>,
    status: DeploymentStatus,
    pauses: Vec<Stage>,
    answered: bool,
    bake: Duration,
    step_bake: Duration,
    hook: u32,
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

pub(super) fn intent(until: Until, takeover: Takeover) -> Intent {
    Intent {
        holder: holder("ci"),
        takeover,
        until,
    }
}

pub(super) fn holder(name: &str) -> Holder {
    Holder {
        name: name.to_owned(),
        principal: "arn:aws:iam::123456789012:role/ci".to_owned(),
    }
}

fn release(n: u32) -> Release {
    Release {
        name: ReleaseName::parse(&format!("1.{n}.0")).unwrap(),
        image: PinnedImage {
            repository: repository(),
            digest: digest(n),
        },
        given_by: GivenBy::Digest,
        commit: None,
    }
}

fn repository() -> Repository {
    Repository::parse("registry.example.com/acme/web").unwrap()
}

fn digest(n: u32) -> ImageDigest {
    ImageDigest::parse(&format!("sha256:{}", format!("{n:02x}").repeat(32))).unwrap()
}

fn revision(n: u32) -> Revision {
    Revision {
        task_definition: Arn::new(format!("arn:aws:ecs:r:1:task-definition/web:{n}")),
        image: release(n).image.to_string(),
        digest: Some(digest(n)),
        release: Some(release(n).name),
    }
}

pub(super) fn environment() -> Environment {
    Environment {
        name: EnvironmentName::parse("staging").unwrap(),
        aws: Aws {
            account: AccountId::parse("123456789012").unwrap(),
            region: Region::parse("eu-central-1").unwrap(),
            endpoint_url: None,
            credentials: Credentials::DefaultChain,
            minute: Duration::from_mins(1),
        },
        service: Service {
            cluster: ClusterName::parse("web").unwrap(),
            name: ServiceName::parse("web").unwrap(),
            container: ContainerName::parse("app").unwrap(),
            minimum_tasks: 2,
        },
        image: Image {
            repository: repository(),
            pinning: Pinning::TagsResolved,
            credentials: None,
        },
        rollout: Rollout {
            strategy: Strategy::Canary {
                percent: Percent::parse("10%").unwrap(),
                bake: Minutes::new(1),
            },
            bake: Minutes::new(10),
            decision_timeout: Minutes::new(60),
        },
        analysis: Analysis {
            window: Duration::from_mins(2),
            period: Duration::from_mins(1),
            interval: Duration::from_secs(15),
            minimum_requests: 100,
            maximum_error_rate: Percent::parse("1%").unwrap(),
            maximum_p95: Duration::from_millis(200),
            inconclusive: Inconclusive {
                wait: Duration::from_mins(5),
                then: AfterInconclusive::Rollback,
            },
        },
        smoke_test: SmokeTest {
            base_url: None,
            timeout: Duration::from_secs(5),
            attempts: 3,
            requests: vec![SmokeRequest {
                path: "/readyz".to_owned(),
                expect: 200,
            }],
        },
        alarms: Vec::new(),
        migrations: Some(Migrations {
            command: vec!["migrate".to_owned()],
            timeout: Duration::from_mins(10),
            rehearsal: Rehearsal::Optional,
        }),
        secrets: BTreeMap::new(),
        records: Records {
            bucket: BucketName::parse("tt-ops-staging").unwrap(),
            prefix: String::new(),
        },
        lock: Lock {
            ttl: Duration::from_mins(2),
        },
        database: None,
        freeze: Vec::new(),
        sandbox: None,
        file: PathBuf::from("environments/staging.yaml"),
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

    /// Lets ECS do what it would have done by now.
    fn advance(&mut self) {
        let (now, healthy, taken_back_at) = (self.now(), self.script.healthy, self.script.taken_back_at);
        let Some(sim) = &mut self.deployment else { return };
        if sim.status == DeploymentStatus::InProgress && taken_back_at.is_some_and(|share| sim.share >= share) {
            sim.status = DeploymentStatus::RollingBack {
                reason: "stopped by ada".to_owned(),
            };
        }
        if let DeploymentStatus::RollingBack { reason } = sim.status.clone() {
            // Weights first; then the new tasks end, which ECS reports as CLEAN_UP.
            if sim.stage != Stage::CleanUp {
                sim.share = Share::NONE;
                sim.stage = Stage::CleanUp;
                sim.entered = now;
            } else if now - sim.entered >= sim.lasts(healthy) {
                sim.status = DeploymentStatus::RolledBack { reason };
            }
            return;
        }
        while sim.status == DeploymentStatus::InProgress && now - sim.entered >= sim.lasts(healthy) {
            let after = sim.entered + sim.lasts(healthy);
            if !sim.leave() {
                break;
            }
            sim.entered = after.max(sim.entered);
        }
        if sim.status == DeploymentStatus::Successful {
            self.live = sim.to;
        }
    }
}

impl Sim {
    fn lasts(&self, healthy: bool) -> Duration {
        match self.stage {
            Stage::ScaleUp if !healthy => Duration::MAX,
            Stage::ScaleUp | Stage::CleanUp => Duration::from_secs(40),
            Stage::ProductionTrafficShift if !self.share.is_whole() => self.step_bake,
            Stage::BakeTime => self.bake,
            Stage::ReconcileService
            | Stage::PreScaleUp
            | Stage::PostScaleUp
            | Stage::TestTrafficShift
            | Stage::PostTestTrafficShift
            | Stage::PreProductionTrafficShift
            | Stage::ProductionTrafficShift
            | Stage::PostProductionTrafficShift => Duration::ZERO,
        }
    }

    /// Goes on to the next stage unless a pause holds it.
    fn leave(&mut self) -> bool {
        if self.pauses.contains(&self.stage) && !self.answered {
            return false;
        }
        self.answered = false;
        self.hook += 1;
        let again = self.stage == Stage::ProductionTrafficShift && !self.share.is_whole();
        let position = Stage::ALL.iter().position(|stage| *stage == self.stage).unwrap();
        if again {
            self.stage = Stage::PreProductionTrafficShift;
        } else if let Some(next) = Stage::ALL.get(position + 1) {
            self.stage = *next;
        } else {
            self.status = DeploymentStatus::Successful;
        }
        if self.stage == Stage::ProductionTrafficShift {
            self.share = self
                .schedule
                .iter()
                .copied()
                .find(|share| *share > self.share)
                .unwrap_or(Share::ALL);
        }
        true
    }
}

fn missing(action: &str) -> PortError {
    PortError {
        action: action.to_owned(),
        kind: PortErrorKind::NotFound,
        hint: None,
        source: None,
    }
}

impl Cloud for World {
    async fn observe(&self) -> Result<Observed, PortError> {
        Ok(self.state().observed())
    }

    async fn register(&self, _registration: &Registration) -> Result<Revision, PortError> {
        self.state().registered = 2;
        Ok(revision(2))
    }

    async fn run_task(&self, task: &OneOffTask) -> Result<TaskArn, PortError> {
        self.state().ran.push(task.clone());
        Ok(TaskArn(task.task_definition.clone()))
    }

    /// Two lines at the first look, and the rest at the next: as a log arrives.
    async fn output(&self, _task: &TaskArn, _order: &OneOffTask, after: Option<&str>) -> Result<TaskLines, PortError> {
        let read: usize = after.map_or(0, |after| after.parse().unwrap());
        let lines = &self.state().script.says;
        let until = if read == 0 { lines.len().min(2) } else { lines.len() };
        Ok(TaskLines {
            lines: lines[read..until].iter().map(|line| (*line).to_owned()).collect(),
            next: Some(until.to_string()),
        })
    }

    async fn running_tasks(&self) -> Result<Vec<RunningTasks>, PortError> {
        Ok(Vec::new())
    }

    async fn one_off(&self, task: &TaskArn, _container: &ContainerName) -> Result<OneOff, PortError> {
        let exit_code = self.state().script.migration;
        Ok(OneOff::Stopped(StoppedTask {
            task: task.0.clone(),
            exit_code,
            reason: "Essential container in task exited".to_owned(),
            last_lines: Vec::new(),
        }))
    }

    async fn stop_task(&self, _task: &TaskArn, _reason: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn start(&self, start: &Start) -> Result<Arn, PortError> {
        let mut state = self.state();
        let minute = Duration::from_mins(1);
        let (schedule, step_bake) = match start.strategy {
            Strategy::AllAtOnce => (vec![Share::ALL], Duration::ZERO),
            Strategy::Linear { percent, bake } | Strategy::Canary { percent, bake } => {
                (vec![Share::from(percent), Share::ALL], bake.lasting(minute))
            }
        };
        let to = start
            .task_definition
            .as_str()
            .rsplit(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let sim = Sim {
            to,
            stage: Stage::ReconcileService,
            entered: state.now(),
            share: Share::NONE,
            schedule,
            status: DeploymentStatus::InProgress,
            pauses: start.pauses.clone(),
            answered: false,
            bake: start.bake.lasting(minute),
            step_bake,
            hook: 0,
        };
        let arn = state.deployment(&sim).arn;
        state.deployment = Some(sim);
        Ok(arn)
    }

    async fn progress(&self, _deployment: &Arn) -> Result<Progress, PortError> {
        let mut state = self.state();
        state.reads += 1;
        if state
            .script
            .flaky_every
            .is_some_and(|every| state.reads.is_multiple_of(every))
        {
            return Err(PortError {
                action: "describe".to_owned(),
                kind: PortErrorKind::Throttled,
                hint: None,
                source: None,
            });
        }
        state.advance();
        let sim = state.deployment.clone().ok_or_else(|| missing("describe"))?;
        Ok(Progress {
            deployment: state.deployment(&sim),
            targets: None,
            live_share: sim.share,
        })
    }

    async fn answer(&self, _deployment: &Arn, hook: &str, answer: Answer) -> Result<(), PortError> {
        let mut state = self.state();
        state.answers += 1;
        let sim = state.deployment.as_mut().ok_or_else(|| missing("answer"))?;
        assert_eq!(hook, format!("hook-{}", sim.hook), "an answer to a pause that is over");
        match answer {
            Answer::Continue => sim.answered = true,
            Answer::Rollback => {
                sim.status = DeploymentStatus::RollingBack {
                    reason: "pause answered with ROLLBACK".to_owned(),
                }
            }
        }
        Ok(())
    }

    async fn revert(&self, _deployment: &Arn) -> Result<(), PortError> {
        let mut state = self.state();
        let sim = state.deployment.as_mut().ok_or_else(|| missing("revert"))?;
        sim.status = DeploymentStatus::RollingBack {
            reason: "stop requested".to_owned(),
        };
        Ok(())
    }

    async fn measure(&self, _target_group: &Arn, _window: Duration, _period: Duration) -> Result<Sample, PortError> {
        let state = self.state();
        let share = state.deployment.as_ref().map_or(Share::NONE, |sim| sim.share);
        Ok((state.script.sample)(share))
    }

    async fn evidence(&self, _deployment: &Arn) -> Evidence {
        Evidence {
            events: vec!["(service web) has stopped 1 running task".to_owned()],
            ..Evidence::default()
        }
    }
}

impl Journal for World {
    async fn put(&self, record: &Record) -> Result<(), PortError> {
        self.state().records.insert(record.id.to_string(), record.clone());
        Ok(())
    }

    async fn lease(&self) -> Result<Option<(Lease, Version)>, PortError> {
        Ok(self
            .state()
            .lease
            .clone()
            .map(|(lease, version)| (lease, Version(version.to_string()))))
    }

    async fn swap(&self, expected: Option<&Version>, lease: &Lease) -> Result<Option<Version>, PortError> {
        let mut state = self.state();
        let current = state.lease.as_ref().map(|(_, version)| Version(version.to_string()));
        if current.as_ref() != expected {
            return Ok(None);
        }
        let version = state.lease.as_ref().map_or(1, |(_, version)| version + 1);
        state.lease = Some((lease.clone(), version));
        if std::mem::take(&mut state.script.loses_lock_answer) {
            return Ok(None);
        }
        Ok(Some(Version(version.to_string())))
    }
}

impl Probe for World {
    async fn get(&self, _url: &str, _timeout: Duration) -> Result<u16, PortError> {
        Ok(self.state().script.smoke_status)
    }
}

impl Clock for World {
    fn now(&self) -> OffsetDateTime {
        self.state().now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

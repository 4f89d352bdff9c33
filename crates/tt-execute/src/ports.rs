//! What the executor needs of the world. The real ones live in `tt-aws` and `tt-ops`; tests bring their own.

use std::{collections::BTreeMap, error::Error, fmt, future::Future, time::Duration};

use time::OffsetDateTime;
use tt_environment::{ContainerName, Minutes, SecretName, Strategy};
use tt_plan::{
    Arn, Deployment, Desired, Lease, LifecycleStage, Observed, Record, Release, Revision, RunningTasks, Sample,
    TargetGroup,
};

/// The AWS account, in our words. Every call is safe to repeat.
pub trait Cloud: Sync {
    /// Reads everything a plan stands on.
    fn observe(&self) -> impl Future<Output = Result<Observed, PortError>> + Send;
    /// Registers a task definition; one that is registered already for this release and base is returned instead.
    fn register(&self, registration: &Registration) -> impl Future<Output = Result<Revision, PortError>> + Send;
    /// Starts a one-off task.
    fn run_task(&self, task: &OneOffTask) -> impl Future<Output = Result<TaskArn, PortError>> + Send;
    /// What a one-off task has printed since an earlier look (`after` is that look's [`TaskLines::next`]).
    fn output(
        &self,
        task: &TaskArn,
        order: &OneOffTask,
        after: Option<&str>,
    ) -> impl Future<Output = Result<TaskLines, PortError>> + Send;
    /// The service's and all other tasks of its family that run at this moment, by task definition.
    fn running_tasks(&self) -> impl Future<Output = Result<Vec<RunningTasks>, PortError>> + Send;
    /// How a one-off task is doing.
    fn one_off(
        &self,
        task: &TaskArn,
        container: &ContainerName,
    ) -> impl Future<Output = Result<OneOff, PortError>> + Send;
    /// Ends a one-off task.
    fn stop_task(&self, task: &TaskArn, reason: &str) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Starts a service deployment and names it.
    fn start(&self, start: &Start) -> impl Future<Output = Result<Arn, PortError>> + Send;
    /// Where a deployment is.
    fn progress(&self, deployment: &Arn) -> impl Future<Output = Result<Progress, PortError>> + Send;
    /// Answers a PAUSE hook.
    fn answer(
        &self,
        deployment: &Arn,
        hook: &str,
        answer: Answer,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Stops a deployment with ROLLBACK.
    fn revert(&self, deployment: &Arn) -> impl Future<Output = Result<(), PortError>> + Send;
    /// What a target group did in the `window` before now, in periods of `period`.
    fn measure(
        &self,
        target_group: &Arn,
        window: Duration,
        period: Duration,
    ) -> impl Future<Output = Result<Sample, PortError>> + Send;
    /// Why a deployment failed, gathered at once because stopped tasks vanish after about an hour.
    fn evidence(&self, deployment: &Arn) -> impl Future<Output = Evidence> + Send;
}

/// Deploy records and the lock, which must outlive any process.
pub trait Journal: Sync {
    /// Writes a record, over an earlier state of the same one.
    fn put(&self, record: &Record) -> impl Future<Output = Result<(), PortError>> + Send;
    /// The lock object and its version.
    fn lease(&self) -> impl Future<Output = Result<Option<(Lease, Version)>, PortError>> + Send;
    /// Writes the lock object if it still has the version (`None`: if there still is none); `Ok(None)` when somebody was faster.
    fn swap(
        &self,
        expected: Option<&Version>,
        lease: &Lease,
    ) -> impl Future<Output = Result<Option<Version>, PortError>> + Send;
}

/// Asks the service over HTTP, as a user would.
pub trait Probe: Sync {
    /// The status of a GET.
    fn get(&self, url: &str, timeout: Duration) -> impl Future<Output = Result<u16, PortError>> + Send;
}

/// Time.
pub trait Clock: Sync {
    /// Now.
    fn now(&self) -> OffsetDateTime;
    /// Returns after `duration`.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}

/// The version of an S3 object that a conditional write compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub String);

/// A command to be run as a one-off task, where the service's own tasks run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOffTask {
    /// The task definition, and with it the image.
    pub task_definition: Arn,
    /// The container that the command is for, and whose exit code and lines count.
    pub container: ContainerName,
    /// Arguments to the image's entry point.
    pub command: Vec<String>,
    /// Variables beside those of the task definition. Never a secret: AWS shows them to whoever may describe tasks.
    pub variables: BTreeMap<String, String>,
}

/// Lines that a task has printed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskLines {
    /// Oldest first.
    pub lines: Vec<String>,
    /// Where to read on; the same again at the end of what there is.
    pub next: Option<String>,
}

/// A one-off task's ARN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskArn(pub Arn);

/// A task definition to register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The task definition to copy.
    pub base: Arn,
    /// The container whose image changes.
    pub container: ContainerName,
    /// The release.
    pub release: Release,
    /// Environment variable → secret name.
    pub secrets: BTreeMap<String, SecretName>,
}

/// A service deployment to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The revision it brings.
    pub task_definition: Arn,
    /// How traffic moves.
    pub strategy: Strategy,
    /// How long both revisions stay.
    pub bake: Minutes,
    /// Where ECS waits for an answer.
    pub pauses: Vec<LifecycleStage>,
    /// How long it waits before it rolls back.
    pub decision_timeout: Minutes,
    /// Whether the number of tasks changes.
    pub desired: Desired,
}

/// A deployment with the health of its new tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The deployment.
    pub deployment: Deployment,
    /// The target group of the new tasks.
    pub targets: Option<TargetGroup>,
    /// Of all production requests, the share that the listener rule gives the new tasks right now.
    pub live_share: tt_plan::Share,
}

/// How a PAUSE is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Go on.
    Continue,
    /// Take it back.
    Rollback,
}

/// A one-off task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OneOff {
    /// Not ended; the status in ECS's words.
    Running {
        /// PROVISIONING, PENDING, RUNNING, …
        status: String,
    },
    /// Ended.
    Stopped(StoppedTask),
}

/// A task that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoppedTask {
    /// Its ARN.
    pub task: Arn,
    /// The exit code of the container asked for; absent when it never started.
    pub exit_code: Option<i32>,
    /// ECS's words.
    pub reason: String,
    /// The last lines that it printed, oldest first.
    pub last_lines: Vec<String>,
}

/// Why a deployment failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Newest service events first.
    pub events: Vec<String>,
    /// Tasks of the new revision that stopped.
    pub stopped: Vec<StoppedTask>,
    /// Targets of the new revision that do not pass their checks, with the load balancer's reason.
    pub unhealthy: Vec<String>,
    /// What could not be gathered, and why.
    pub missing: Vec<String>,
}

/// A port that failed: the action, the kind, and the cause as source.
#[derive(Debug)]
pub struct PortError {
    /// What was being done to what, e.g. "describe service `web`".
    pub action: String,
    /// What kind of failure it is.
    pub kind: PortErrorKind,
    /// What to do next, when that is known.
    pub hint: Option<String>,
    /// The cause.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// Failures that the executor or the command line tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortErrorKind {
    /// Nothing listens there, or the network does not reach it.
    Unreachable,
    /// No credentials, or they have expired.
    Credentials,
    /// Credentials that may not do this.
    Denied,
    /// What was named does not exist.
    NotFound,
    /// Too many calls, even after the SDK's own retries.
    Throttled,
    /// The request cannot be carried out in the present state.
    Conflict,
    /// AWS answered something that its documents do not allow.
    Unexpected,
    /// Anything else.
    Other,
}

impl PortErrorKind {
    /// Whether the same call may well succeed in a moment.
    pub fn passes(self) -> bool {
        match self {
            Self::Unreachable | Self::Throttled | Self::Other => true,
            Self::Credentials | Self::Denied | Self::NotFound | Self::Conflict | Self::Unexpected => false,
        }
    }
}

impl fmt::Display for PortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}", self.action)
    }
}

impl Error for PortError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}

//! What to do: turns an [`Environment`](tt_environment::Environment), a release and what was [`Observed`] into a [`Plan`] or a [`Refusal`].
//!
//! Pure and synchronous: no AWS, no clock, no environment variable, no file. Whatever a plan leaves open would have to be decided at
//! three in the morning by a half-finished process, so a plan leaves nothing open.

mod analysis;
pub mod database;
mod deploy;
mod fingerprint;
mod migrate;
mod observed;
mod preflight;
mod record;
mod refusal;
mod release;
mod rollback;
mod schema;
mod share;
mod step;

pub use analysis::{Breach, Gap, Sample, Verdict, judge};
pub use deploy::{Consent, deploy};
pub use fingerprint::Fingerprint;
pub use migrate::{
    AcceptedLoss, Contract, Files, MigrationOrder, MigrationPlan, MigrationSource, Phase, RunningTasks, migrate,
};
pub use observed::{
    Alarm, AlarmState, Arn, Caller, Deployment, DeploymentStatus, LifecycleStage, LiveRollout, LiveStrategy, Observed,
    Pause, Revision, Route, ServiceState, TargetGroup, TrafficSplit,
};
pub use preflight::{Check, Finding, preflight};
pub use record::{
    Command, Holder, Lease, Outcome, RECORD_VERSION, Record, RecordId, SchemaChange, SchemaRange, StepTiming,
};
pub use refusal::{Refusal, Refusals};
pub use release::{GivenBy, PinnedImage, Release};
pub use rollback::{Mode, RollbackPlan, Target, rollback};
pub use share::Share;
pub use step::{Desired, Plan, Step};

#[cfg(test)]
mod tests;

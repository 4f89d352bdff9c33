//! What happens, as facts. Words for people are made of them in the reports.

use std::time::Duration;

use time::OffsetDateTime;
use tt_plan::{Holder, LifecycleStage, Sample, Share, Step, TargetGroup, Verdict};

use crate::ports::Evidence;

/// One fact about a run, in the order in which it became true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The lock is ours.
    Locked {
        /// Its fencing token.
        token: u64,
        /// Whose dead or overruled lock it was.
        taken_from: Option<Holder>,
    },
    /// A step begins.
    StepStarted {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// The step.
        step: Step,
    },
    /// A step waits. Comes again as long as it does.
    Waiting {
        /// For what.
        holdup: Holdup,
        /// For so long already.
        waited: Duration,
        /// For so long at most.
        at_most: Duration,
    },
    /// Production traffic of the new revision.
    Traffic {
        /// Its share.
        share: Share,
    },
    /// The new revision's targets.
    Targets {
        /// Their health.
        group: TargetGroup,
    },
    /// ECS entered a stage.
    Stage {
        /// Which.
        stage: LifecycleStage,
    },
    /// A smoke request was answered.
    Smoke {
        /// What was asked.
        url: String,
        /// What came back, or why nothing did.
        result: Result<u16, String>,
        /// What was expected.
        expected: u16,
        /// From 1.
        attempt: u32,
    },
    /// The new revision was measured.
    Measured {
        /// What it did.
        sample: Sample,
        /// Whether that is good enough.
        verdict: Verdict,
    },
    /// A one-off task printed these lines last.
    TaskOutput {
        /// Oldest first.
        lines: Vec<String>,
    },
    /// A call failed in a way that passes; it is made again.
    Retrying {
        /// What failed.
        what: String,
    },
    /// A step is done.
    StepFinished {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// The step.
        step: Step,
        /// How long it took.
        took: Duration,
    },
    /// The deployment is being taken back.
    RollingBack {
        /// Why.
        reason: String,
    },
    /// Why it failed, as far as AWS can tell.
    Evidence {
        /// What was gathered.
        evidence: Evidence,
    },
    /// A deploy record could not be written; the run goes on because users come first.
    RecordLost {
        /// Why.
        reason: String,
    },
}

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holdup {
    /// ECS to come so far.
    Stage {
        /// The stage that it is in, when it says so.
        now: Option<LifecycleStage>,
    },
    /// A one-off task to end.
    Task {
        /// Its status.
        status: String,
    },
    /// Enough measurements.
    Evidence,
    /// The bake to end.
    Bake {
        /// Expected end.
        until: OffsetDateTime,
    },
    /// ECS to bring users back.
    Return,
}

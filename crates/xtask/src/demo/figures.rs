//! The figures of a story: `target/demo/report.json`.

use std::time::Duration;

use serde::Serialize;

use super::story::{BAD, TAKEN_BACK, Told};
use crate::{failure::Failure, machine::Machine};

/// A contract: scripts read these names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Figures {
    pub(super) requests: u64,
    pub(super) failed_outside_bad_canary: u64,
    pub(super) failed_during_bad_canary: u64,
    pub(super) lost_writes: u64,
    pub(super) p99_ms: f64,
    pub(super) deploy_seconds: f64,
    /// A restore beside, the look into it, and its deletion.
    pub(super) drill_seconds: f64,
    /// Absent when a signal ended it.
    pub(super) bad_release_exit_code: Option<i32>,
    /// From the start of the process until the last request left that reached the release.
    pub(super) rollback_seconds: f64,
    pub(super) machine: Machine,
}

impl Figures {
    pub(super) fn of(told: &Told, machine: Machine) -> Result<Self, Failure> {
        let load = &told.load;
        let rollback_seconds = load
            .seconds_until_last_of(TAKEN_BACK, told.rollback_started_unix_ms)
            .ok_or_else(|| Failure::Story(format!("{TAKEN_BACK} never answered a request")))?;
        Ok(Self {
            requests: load.requests,
            failed_outside_bad_canary: load.failed_by_others_than(BAD),
            failed_during_bad_canary: load.failed_by(BAD),
            lost_writes: load.lost_writes,
            p99_ms: load.latency.p99_ms,
            deploy_seconds: tenths(told.deploy),
            drill_seconds: tenths(told.drill),
            bad_release_exit_code: told.bad_exit.code(),
            rollback_seconds,
            machine,
        })
    }
}

fn tenths(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}

//! How a run ends early. Every halt says what failed and where the users are.

use std::time::Duration;

use thiserror::Error;
use tt_plan::{Breach, Gap, Holder};

use crate::{lock::LockError, ports::PortError};

/// Why a run did not get to its end.
#[derive(Debug, Error)]
pub enum Halt {
    /// The lock was not obtained; nothing was changed.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Somebody else took the lock over while we worked.
    #[error("the deploy lock was taken over by {}", by.name)]
    Overruled {
        /// Who has it now.
        by: Holder,
    },
    /// What was observed for the plan is not what is there now; nothing was changed.
    #[error("the environment has changed since the plan was made")]
    WorldMoved,
    /// Users are back on the previous revision.
    #[error("release {release} was taken back: {reason}")]
    RolledBack {
        /// What was taken back.
        release: String,
        /// Why.
        reason: String,
    },
    /// A rollback failed: a person has to look now.
    #[error("release {release} could not be taken back: {reason}")]
    RollbackFailed {
        /// What should have been taken back.
        release: String,
        /// ECS's words.
        reason: String,
    },
    /// The analysis cannot tell, and the environment says a person decides.
    #[error("the analysis cannot tell ({gap:?}) and waits for a person")]
    Paused {
        /// What is missing.
        gap: Gap,
    },
    /// Something took longer than it may.
    #[error("{what} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// What.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// The migration task failed; users were not touched.
    #[error("migrations failed: {reason}")]
    Migration {
        /// ECS's reason or the exit code.
        reason: String,
    },
    /// The process was told to stop.
    #[error("interrupted")]
    Interrupted,
    /// A call failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A run that ended early, with the one thing an operator asks first.
#[derive(Debug, Error)]
#[error("{why}")]
pub struct Halted {
    /// Why.
    pub why: Halt,
    /// Where the users are.
    pub users: Whereabouts,
}

/// Where the users are when a run halts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whereabouts {
    /// On what they had before; nothing was started.
    Untouched,
    /// ECS holds a deployment in flight.
    InFlight,
    /// Back on what they had before.
    Returned,
    /// Unknown: the way back failed, or nobody could ask whether the way forward began.
    Unknown,
}

/// Why a release is taken back, in the words of the record.
pub(crate) fn breach_reason(breach: &Breach) -> String {
    match breach {
        Breach::ErrorRate {
            errors,
            requests,
            limit_tenths,
        } => {
            format!(
                "{errors} of {requests} requests failed, at most {}.{} % may",
                limit_tenths / 10,
                limit_tenths % 10
            )
        }
        Breach::P95 { millis, limit_millis } => format!("p95 of {millis} ms is over the limit of {limit_millis} ms"),
    }
}

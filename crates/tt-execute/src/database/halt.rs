//! How a run about backups ends early. Users are where they were: none of it touches them.

use std::time::Duration;

use thiserror::Error;
use tt_environment::InstanceName;

use crate::ports::PortError;

/// Why a run did not get to its end.
#[derive(Debug, Error)]
pub enum DatabaseHalt {
    /// RDS gave up on it.
    #[error("{what} is {status}")]
    Broken {
        /// The snapshot or instance.
        what: String,
        /// RDS's word.
        status: String,
    },
    /// It is not there any more.
    #[error("{what} is gone")]
    Gone {
        /// The snapshot or instance.
        what: String,
    },
    /// It does not carry this environment's tags, so it is not ours to delete.
    #[error("{what} does not carry the tags of this environment, so it is not deleted")]
    NotOurs {
        /// The snapshot or instance.
        what: String,
    },
    /// It is not any more what the plan was made for.
    #[error("{what} is not what it was when the plan was made, so nothing is deleted because of it")]
    Moved {
        /// The snapshot.
        what: String,
    },
    /// Something took longer than it may.
    #[error("{what} took longer than {} s", limit.as_secs())]
    TimedOut {
        /// What.
        what: String,
        /// The limit.
        limit: Duration,
    },
    /// The process was told to stop.
    #[error("interrupted")]
    Interrupted,
    /// A call failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// A run that ended early, with what it left behind.
#[derive(Debug)]
pub struct DatabaseHalted {
    /// Why.
    pub why: DatabaseHalt,
    /// An instance that it made and could not take away again.
    pub left: Option<InstanceName>,
}

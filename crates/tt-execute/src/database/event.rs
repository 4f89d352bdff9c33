//! What happens to backups, as facts.

use std::time::Duration;

use tt_environment::InstanceName;
use tt_plan::database::{DatabaseStep, ExaminationFinding};

use crate::event::Event;

/// One fact about a run, in the order in which it became true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseEvent {
    /// A step begins.
    StepStarted {
        /// From 1.
        number: usize,
        /// Of how many.
        of: usize,
        /// The step.
        step: DatabaseStep,
    },
    /// RDS works. Comes again as long as it does.
    Working {
        /// On which snapshot or instance.
        what: String,
        /// Its status, in RDS's word.
        status: String,
        /// How much is done, where RDS says so.
        percent: Option<u8>,
        /// For so long already.
        waited: Duration,
        /// For so long at most.
        at_most: Duration,
    },
    /// A task that looks into a database, or migrates it, says something.
    Task(Event),
    /// A look into a restored copy found something.
    Found {
        /// What.
        finding: ExaminationFinding,
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
        step: DatabaseStep,
        /// How long it took.
        took: Duration,
    },
    /// The run has ended early, and the copy it made goes.
    CleaningUp {
        /// Which.
        copy: InstanceName,
    },
    /// The record of a drill could not be written.
    RecordLost {
        /// Why.
        reason: String,
    },
}

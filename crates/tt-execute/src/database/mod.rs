//! Backups, restores, drills and rehearsals: walks a [`DatabasePlan`](tt_plan::database::DatabasePlan) through ports of its own.
//!
//! Users are never touched by any of it: whatever is restored stands beside what they use.

mod event;
mod executor;
mod halt;
mod ports;
mod steps;
mod task;
mod wait;

pub use crate::spoken::examination;
pub use event::DatabaseEvent;
pub use executor::{DatabaseExecutor, DatabaseOutcome};
pub use halt::{DatabaseHalt, DatabaseHalted};
pub use ports::{Backups, Database, Depth, MigrationsEnded, On};
pub use task::TaskDatabase;

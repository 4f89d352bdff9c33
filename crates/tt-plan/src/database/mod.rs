//! Backups of the database and what is made of them: what is there, what to do, and what speaks against it.
//!
//! As pure as the rest of the planner: what RDS says comes in as [`DatabaseObserved`], what to do goes out as a
//! [`DatabasePlan`].

mod backup;
mod drill;
mod examination;
mod mark;
mod observed;
mod prune;
mod refusal;
mod report;
mod restore;
mod status;
mod step;
mod verify;

pub use backup::{Extent, backup};
pub use drill::{DRILL_VERSION, DrillOutcome, DrillRecord};
pub use examination::{Amcheck, AppliedMigration, Examination, ExaminationFinding, TableCount, Verdict, compare};
pub use mark::{Mark, Purpose, RunId};
pub use observed::{Abroad, DatabaseObserved, Encryption, Endpoint, Instance, Snapshot, SnapshotKind, Window};
pub use prune::prune;
pub use refusal::DatabaseRefusal;
pub use report::{Measured, RegionReport, report};
pub use restore::{RestoreTarget, restore};
pub use status::{InstanceStatus, SnapshotStatus};
pub use step::{DatabaseCommand, DatabasePlan, DatabaseStep, DatabaseWarning, RestoreFrom, RestoreSettings};
pub use verify::{BackupCheck, BackupFact, BackupFinding, Shortcoming, verify};

//! What backups and migrations need of the world.

use std::future::Future;

use time::OffsetDateTime;
use tt_environment::{InstanceName, KmsKey, Region, SnapshotName};
use tt_plan::{
    Arn, MigrationOrder,
    database::{DrillRecord, Endpoint, Examination, Instance, Mark, RestoreFrom, RestoreSettings, Snapshot},
};

use crate::{event::Event, ports::PortError};

/// The account's database instances and their backups, in our words.
pub trait Backups: Sync {
    /// Starts a snapshot.
    fn take_snapshot(
        &self,
        instance: &InstanceName,
        snapshot: &SnapshotName,
        mark: &Mark,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// A snapshot, or nothing when there is none of that name.
    fn snapshot(
        &self,
        region: &Region,
        snapshot: &SnapshotName,
    ) -> impl Future<Output = Result<Option<Snapshot>, PortError>> + Send;
    /// Starts to copy a snapshot of the environment's Region to another one.
    fn copy_snapshot(
        &self,
        snapshot: &Snapshot,
        to: &Region,
        kms_key: Option<&KmsKey>,
        mark: &Mark,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Has the automated backups replicated to another Region.
    fn replicate(
        &self,
        instance: &Arn,
        to: &Region,
        kms_key: Option<&KmsKey>,
        retention_days: u32,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Starts to delete a snapshot.
    fn delete_snapshot(
        &self,
        region: &Region,
        snapshot: &SnapshotName,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Notes on a snapshot that a drill found it whole.
    fn mark_tested(
        &self,
        snapshot: &SnapshotName,
        at: OffsetDateTime,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Starts to restore a new instance beside its source.
    fn restore(
        &self,
        from: &RestoreFrom,
        source: &InstanceName,
        copy: &InstanceName,
        settings: &RestoreSettings,
        mark: &Mark,
    ) -> impl Future<Output = Result<(), PortError>> + Send;
    /// An instance, or nothing when there is none of that name.
    fn instance(&self, instance: &InstanceName) -> impl Future<Output = Result<Option<Instance>, PortError>> + Send;
    /// Starts to delete an instance, without a last snapshot and with its automated backups.
    fn delete_instance(&self, instance: &InstanceName) -> impl Future<Output = Result<(), PortError>> + Send;
    /// Writes down how a drill went.
    fn keep(&self, drill: &DrillRecord) -> impl Future<Output = Result<(), PortError>> + Send;
}

/// The database itself, however it is reached.
///
/// Its futures need not be `Send`, as those of the other ports are: the engine's own are not, and nobody hands them to another thread.
pub trait Database: Sync {
    /// Runs migrations, or says what they would do; what is printed meanwhile is emitted.
    fn migrate(
        &self,
        order: &MigrationOrder,
        on: &On,
        emit: &(dyn Fn(Event) + Sync),
    ) -> impl Future<Output = Result<MigrationsEnded, PortError>>;
    /// Looks into it.
    fn examine(
        &self,
        depth: Depth,
        on: &On,
        emit: &(dyn Fn(Event) + Sync),
    ) -> impl Future<Output = Result<Examination, PortError>>;
}

/// Which database, and by which release's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct On {
    /// The task definition of the release; that of the live one when absent.
    pub task_definition: Option<Arn>,
    /// A restored copy's address; the service's own database when absent.
    pub copy: Option<Endpoint>,
}

/// How closely a database is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only what costs its users nothing: rows are estimated.
    Glance,
    /// Rows are counted and pages read.
    Full,
}

/// How a run of migrations ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationsEnded {
    /// Of the exit codes that tt-ops and the service share; 1 when it never ran.
    pub exit_code: u8,
    /// Why, when not 0: in the words of whoever ran them.
    pub reason: String,
    /// Everything that was printed, oldest first.
    pub lines: Vec<String>,
}

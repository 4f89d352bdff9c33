//! Why RDS did not do what it was asked.

use std::io;
use std::path::PathBuf;

use http::StatusCode;

use super::groups::GroupKind;
use crate::front::persist::PersistError;
use crate::runtime::SpawnError;
use crate::wire::QueryError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum RdsError {
    #[error("DBInstance {0} not found")]
    NotFound(String),
    #[error("DB instance {0} already exists")]
    AlreadyExists(String),
    #[error("DB instance {identifier} is {status}; this operation needs it to be {needed}")]
    WrongState {
        identifier: String,
        status: &'static str,
        needed: &'static str,
    },
    #[error("DBSnapshot {0} not found")]
    SnapshotNotFound(String),
    #[error("Cannot create the snapshot because a snapshot with the identifier {0} already exists.")]
    SnapshotExists(String),
    #[error("DB snapshot {identifier} is {status}; this operation needs it to be {needed}")]
    SnapshotState {
        identifier: String,
        status: &'static str,
        needed: &'static str,
    },
    #[error("Cannot create more than {most} manual snapshots")]
    SnapshotQuota { most: usize },
    #[error("Point in time restore is not enabled for instance {0}: its BackupRetentionPeriod is 0")]
    NoPointInTime(String),
    #[error("{0}")]
    Restore(String),
    #[error("DBInstanceAutomatedBackup {0} not found")]
    AutomatedNotFound(String),
    #[error("automated backup {identifier} is {status}; this operation needs it to be {needed}")]
    AutomatedState {
        identifier: String,
        status: &'static str,
        needed: &'static str,
    },
    #[error("{kind} {name} not found")]
    GroupNotFound { kind: GroupKind, name: String },
    #[error("{kind} {name} already exists")]
    GroupExists { kind: GroupKind, name: String },
    #[error("{0}")]
    KmsKey(String),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Combination(String),
    #[error("DB instance {identifier} failed: {reason}")]
    Failed { identifier: String, reason: String },
    #[error("the sandbox has no address left for another DB instance; it has 254")]
    TooMany,
    #[error(
        "PostgreSQL's programs (postgres, initdb, pg_ctl, psql, pg_basebackup) are neither on PATH nor in /usr/lib/postgresql/*/bin: `apt-get install postgresql`"
    )]
    NoPostgres,
    #[error(
        "PostgreSQL must not run as root, and `{user}` cannot enter {}: choose a state folder that others may pass through",
        path.display()
    )]
    Closed { user: String, path: PathBuf },
    #[error("PostgreSQL must not run as root, and this system has neither a user `postgres` nor `nobody`")]
    NoUser,
    #[error("could not create {}", path.display())]
    Folder {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("could not start the process runtime of the database instances")]
    Runtime(#[source] io::Error),
    #[error("could not open the state of the database instances")]
    State(#[source] PersistError),
    #[error("could not run {program}")]
    Spawn {
        program: &'static str,
        #[source]
        cause: SpawnError,
    },
    #[error("PostgreSQL did not save the piece {piece} of its log; is the disk full?")]
    LogNotSaved { piece: String },
    #[error("{program} failed: {output}")]
    Program { program: &'static str, output: String },
}

impl RdsError {
    /// Whether the disk has no room.
    pub(super) fn is_disk_full(&self) -> bool {
        match self {
            Self::Program { output, .. } => output.contains("No space left on device"),
            Self::Folder { cause, .. } => cause.kind() == io::ErrorKind::StorageFull,
            Self::NotFound(_)
            | Self::AlreadyExists(_)
            | Self::WrongState { .. }
            | Self::SnapshotNotFound(_)
            | Self::SnapshotExists(_)
            | Self::SnapshotState { .. }
            | Self::SnapshotQuota { .. }
            | Self::NoPointInTime(_)
            | Self::Restore(_)
            | Self::AutomatedNotFound(_)
            | Self::AutomatedState { .. }
            | Self::GroupNotFound { .. }
            | Self::GroupExists { .. }
            | Self::KmsKey(_)
            | Self::Invalid(_)
            | Self::Combination(_)
            | Self::Failed { .. }
            | Self::TooMany
            | Self::NoPostgres
            | Self::Closed { .. }
            | Self::NoUser
            | Self::Runtime(_)
            | Self::State(_)
            | Self::Spawn { .. }
            | Self::LogNotSaved { .. } => false,
        }
    }

    /// As the Query protocol says it (Amazon RDS API Reference, "Common errors" and each operation's).
    pub(super) fn query(&self) -> QueryError {
        let message = crate::front::chain(self);
        let (status, code) = match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "DBInstanceNotFound"),
            Self::AlreadyExists(_) => (StatusCode::BAD_REQUEST, "DBInstanceAlreadyExists"),
            Self::WrongState { .. } => (StatusCode::BAD_REQUEST, "InvalidDBInstanceState"),
            Self::SnapshotNotFound(_) => (StatusCode::NOT_FOUND, "DBSnapshotNotFound"),
            Self::SnapshotExists(_) => (StatusCode::BAD_REQUEST, "DBSnapshotAlreadyExists"),
            Self::SnapshotState { .. } => (StatusCode::BAD_REQUEST, "InvalidDBSnapshotState"),
            Self::SnapshotQuota { .. } => (StatusCode::BAD_REQUEST, "SnapshotQuotaExceeded"),
            Self::NoPointInTime(_) => (StatusCode::BAD_REQUEST, "PointInTimeRestoreNotEnabled"),
            Self::Restore(_) => (StatusCode::BAD_REQUEST, "InvalidRestoreFault"),
            Self::AutomatedNotFound(_) => (StatusCode::NOT_FOUND, "DBInstanceAutomatedBackupNotFound"),
            Self::AutomatedState { .. } => (StatusCode::BAD_REQUEST, "InvalidDBInstanceAutomatedBackupState"),
            Self::GroupNotFound { kind, .. } => (StatusCode::NOT_FOUND, kind.not_found()),
            Self::GroupExists { kind, .. } => (StatusCode::BAD_REQUEST, kind.exists()),
            Self::KmsKey(_) => (StatusCode::BAD_REQUEST, "KMSKeyNotAccessibleFault"),
            Self::Invalid(_) => (StatusCode::BAD_REQUEST, "InvalidParameterValue"),
            Self::Combination(_) => (StatusCode::BAD_REQUEST, "InvalidParameterCombination"),
            Self::TooMany => (StatusCode::BAD_REQUEST, "InstanceQuotaExceeded"),
            Self::Failed { .. }
            | Self::NoPostgres
            | Self::Closed { .. }
            | Self::NoUser
            | Self::Folder { .. }
            | Self::Runtime(_)
            | Self::State(_)
            | Self::Spawn { .. }
            | Self::LogNotSaved { .. }
            | Self::Program { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        };
        QueryError::with_status(status, code, message)
    }
}

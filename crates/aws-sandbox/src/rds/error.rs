//! Why RDS did not do what it was asked.

use std::io;
use std::path::PathBuf;

use http::StatusCode;

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
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Combination(String),
    #[error("DB instance {identifier} failed: {reason}")]
    Failed { identifier: String, reason: String },
    #[error("the sandbox has no address left for another DB instance; it has 254")]
    TooMany,
    #[error(
        "PostgreSQL's programs (postgres, initdb, pg_ctl, psql) are neither on PATH nor in /usr/lib/postgresql/*/bin: `apt-get install postgresql`"
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
    #[error("{program} failed: {output}")]
    Program { program: &'static str, output: String },
}

impl RdsError {
    /// As the Query protocol says it (Amazon RDS API Reference, "Common errors" and each operation's).
    pub(super) fn query(&self) -> QueryError {
        let message = crate::front::chain(self);
        let (status, code) = match self {
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "DBInstanceNotFound"),
            Self::AlreadyExists(_) => (StatusCode::BAD_REQUEST, "DBInstanceAlreadyExists"),
            Self::WrongState { .. } => (StatusCode::BAD_REQUEST, "InvalidDBInstanceState"),
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
            | Self::Program { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "InternalFailure"),
        };
        QueryError::with_status(status, code, message)
    }
}

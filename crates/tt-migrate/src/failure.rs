//! Every way in which a run ends early, each with its exit code and what to do next.

use std::{fmt, time::Duration};

use crate::{event::Event, exit::Exit, fault::Unloadable, history::Drift, look::Holder, loss::Loss, phase::Version};

/// What PostgreSQL or the way to it said, on one line and without secrets.
#[derive(Debug)]
pub struct Cause(pub(crate) Box<sqlx::Error>);

impl Cause {
    /// The SQLSTATE, if the server answered.
    pub fn code(&self) -> Option<String> {
        Some(self.0.as_database_error()?.code()?.into_owned())
    }

    /// Somebody else held the lock, or two of us waited for each other: trying again helps.
    pub(crate) fn is_contention(&self) -> bool {
        // PostgreSQL manual, appendix A: 55P03 lock_not_available, 40P01 deadlock_detected.
        matches!(self.code().as_deref(), Some("55P03" | "40P01"))
    }

    /// The statement took longer than it may, or was cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.code().as_deref() == Some("57014")
    }

    /// The server's disk is full.
    pub(crate) fn is_out_of_room(&self) -> bool {
        // PostgreSQL manual, appendix A: 53100 disk_full.
        self.code().as_deref() == Some("53100")
    }

    /// The connection is gone, or was refused by a server that starts or stops.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "sqlx has many more errors, none of which is an outage"
    )]
    pub(crate) fn is_outage(&self) -> bool {
        match self.0.as_ref() {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
            sqlx::Error::Database(_) => {
                // Class 08 connection exception; 57P01 admin_shutdown, 57P02 crash_shutdown, 57P03 cannot_connect_now;
                // 25P03 idle_in_transaction_session_timeout.
                self.code()
                    .is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code == "25P03")
            }
            _ => false,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(error) = self.0.as_database_error() else {
            return write!(formatter, "{}", self.0);
        };
        formatter.write_str(error.message())?;
        if let Some(postgres) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
            && let Some(detail) = postgres.detail()
        {
            write!(formatter, " ({detail})")?;
        }
        match error.code() {
            Some(code) => write!(formatter, " [SQLSTATE {code}]"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Cause {}

impl From<sqlx::Error> for Cause {
    fn from(error: sqlx::Error) -> Self {
        Self(Box::new(error))
    }
}

impl From<sqlx::migrate::MigrateError> for Cause {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the others come from sqlx's own runner, which we do not use"
    )]
    fn from(error: sqlx::migrate::MigrateError) -> Self {
        match error {
            sqlx::migrate::MigrateError::Execute(error) | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
                Self::from(error)
            }
            other => Self::from(sqlx::Error::Migrate(Box::new(other))),
        }
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The URL is no PostgreSQL URL. Never repeats it: it holds a password.
    #[error("the database's address is not a URL of the form postgres://user:password@host:5432/database")]
    Url,
    /// The files are wrong.
    #[error(transparent)]
    Files(#[from] Unloadable),
    /// No connection.
    #[error("could not reach the database")]
    Unreachable(#[source] Cause),
    /// A pooler stands between.
    #[error("the database is reached through a pooler, which does not keep a session: {how}")]
    Pooler {
        /// What gave it away.
        how: String,
    },
    /// A standby.
    #[error("this is a standby: it cannot be changed")]
    Standby,
    /// Something was asked of the database and not answered.
    #[error("could not {action}")]
    Query {
        /// What was asked.
        action: &'static str,
        /// What came back.
        #[source]
        cause: Cause,
    },
    /// Another runner.
    #[error("another migration is still running after {} s; nothing was changed{}", .waited.as_secs_f64(), who(.holder.as_deref()))]
    Busy {
        /// How long this run waited.
        waited: Duration,
        /// Who it is.
        holder: Option<Box<Holder>>,
    },
    /// Files and database disagree.
    #[error("the files are not those that were applied; nothing was changed: {}", said(.0))]
    Drift(Vec<Drift>),
    /// Broken indexes.
    #[error("the database has INVALID indexes, left behind by a build that was cut off: {}", .0.join(", "))]
    InvalidIndexes(Vec<String>),
    /// A step is open.
    #[error("migration {version:} was cut off half-way")]
    Partial {
        /// Which.
        version: Version,
    },
    /// A contraction before what it follows.
    #[error("contract migration {version} comes after {pending}, which is not applied yet")]
    TooEarly {
        /// The contraction.
        version: Version,
        /// What is missing.
        pending: Version,
    },
    /// A backfill of a table that cannot be walked.
    #[error("migration {version} cannot be cut into batches: {table} has no primary key of one column")]
    NoKey {
        /// Which.
        version: Version,
        /// The table.
        table: String,
    },
    /// The lock was not to be had.
    #[error("could not lock what migration {version} changes within {} s and {tries} tries{}", .waited.as_secs(), who_all(.holders))]
    Locked {
        /// Which.
        version: Version,
        /// How long it was tried.
        waited: Duration,
        /// How often.
        tries: u32,
        /// Who holds it.
        holders: Vec<Holder>,
    },
    /// A step failed.
    #[error("migration {version} failed and was rolled back ({file})")]
    Step {
        /// Which.
        version: Version,
        /// Its file.
        file: String,
        /// What PostgreSQL says.
        #[source]
        cause: Cause,
    },
    /// A backfill failed between two batches or in one.
    #[error("migration {version} stopped after {rows} rows, which stay changed ({file})")]
    Batch {
        /// Which.
        version: Version,
        /// Its file.
        file: String,
        /// Rows of the batches that are done.
        rows: i64,
        /// What PostgreSQL says to the next.
        #[source]
        cause: Cause,
    },
    /// A step kept users waiting for too long.
    #[error("migration {version} was stopped after {} s and rolled back ({file})", .limit.as_secs_f64())]
    TooLong {
        /// Which.
        version: Version,
        /// Its file.
        file: String,
        /// How long it may take.
        limit: Duration,
    },
    /// A step failed and could not be cleaned up after.
    #[error("migration {version} failed half-way and could not be cleaned up ({file})")]
    LeftBehind {
        /// Which.
        version: Version,
        /// Its file.
        file: String,
        /// What PostgreSQL said to the cleaning up.
        #[source]
        cause: Cause,
    },
    /// A version to go to that is none.
    #[error("there is no version {0} to go back to")]
    NoSuchVersion(Version),
    /// A step that this release does not carry.
    #[error("migration {0} was applied by a newer release, whose files are not here")]
    NotOurs(Version),
    /// A step whose way back was never recorded.
    #[error("how to undo migration {0} was not recorded when it was applied")]
    Unrecorded(Version),
    /// The way back is not the recorded one.
    #[error("{file} is not the file that came with migration {version}; nothing was changed")]
    DownEdited {
        /// Which.
        version: Version,
        /// The file.
        file: String,
    },
    /// Data would be lost.
    #[error("undoing this would lose data: {}", said(.0))]
    DataLoss(Vec<Loss>),
    /// An accepted loss is not the one that was counted.
    #[error("the accepted loss of {what} is {accepted} and {counted} would be lost; nothing was changed")]
    WrongCount {
        /// `table.column`, or `table.*` for rows.
        what: String,
        /// What was accepted.
        accepted: i64,
        /// What was counted.
        counted: i64,
    },
    /// What a way back loses cannot be counted.
    #[error("what {file} would lose cannot be counted ({statement})")]
    Uncountable {
        /// The file.
        file: String,
        /// The statement's beginning.
        statement: String,
    },
}

fn who(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" ({holder})"))
}

fn who_all(holders: &[Holder]) -> String {
    match holders {
        [] => String::new(),
        holders => format!(": {}", said(holders)),
    }
}

fn said<T: fmt::Display>(items: &[T]) -> String {
    let words: Vec<String> = items.iter().map(ToString::to_string).collect();
    words.join(", ")
}

impl Failure {
    pub(crate) fn query(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |error| Self::Query {
            action,
            cause: Cause::from(error),
        }
    }

    /// The code to end with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Url | Self::NoSuchVersion(_) => Exit::Usage,
            // A cut in the middle of something: whether it took effect is to be found out.
            Self::Query { cause, .. } if cause.is_outage() => Exit::Partial,
            Self::Unreachable(_) | Self::Query { .. } => Exit::Failed,
            Self::Files(_)
            | Self::Pooler { .. }
            | Self::Standby
            | Self::InvalidIndexes(_)
            | Self::TooEarly { .. }
            | Self::NoKey { .. }
            | Self::NotOurs(_)
            | Self::Unrecorded(_)
            | Self::DataLoss(_)
            | Self::WrongCount { .. }
            | Self::Uncountable { .. } => Exit::Refused,
            Self::Busy { .. } => Exit::Busy,
            Self::Drift(_) | Self::DownEdited { .. } => Exit::Drift,
            Self::Partial { .. } | Self::LeftBehind { .. } => Exit::Partial,
            Self::Locked { .. } => Exit::Lock,
            Self::Step { cause, .. } | Self::Batch { cause, .. } if cause.is_outage() => Exit::Partial,
            Self::Step { .. } | Self::Batch { .. } | Self::TooLong { .. } => Exit::RolledBack,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        let text = match self {
            Self::Url => "check the secret or the variable that holds it",
            Self::Files(_) => "correct the files; `tt-ops db-lint DIR` checks them without a database",
            Self::Unreachable(_) => "check that it runs, that it lets this machine in, and the password",
            Self::Pooler { .. } => {
                "use the database's own endpoint: locks and timeouts of a migration belong to one session"
            }
            Self::Standby => "use the writer's endpoint",
            Self::Query { cause, .. } if cause.is_outage() => {
                "when the database is back, run the same command with --resume"
            }
            Self::Busy { .. } => "wait for it, or end it; run the same command then",
            Self::Drift(_) => {
                "restore the files from the release that was applied; a change goes into a new file with the next number"
            }
            Self::InvalidIndexes(_) => {
                "drop each with `drop index concurrently`, and build it again where it is needed"
            }
            Self::Partial { .. } => "run the same command with --resume: it finds out what took effect and goes on",
            Self::TooEarly { .. } => "run `migrate` without a phase first, let the release bake, and contract then",
            Self::NoKey { .. } => "give the table a primary key, or write the change as an expand migration",
            Self::Locked { .. } => {
                "end the transactions named, or run it again when they are over; nobody was kept waiting"
            }
            Self::Step { cause, .. } | Self::Batch { cause, .. } if cause.is_outage() => {
                "when the database is back, run the same command with --resume"
            }
            Self::Step { cause, .. } | Self::Batch { cause, .. } | Self::Query { cause, .. }
                if cause.is_out_of_room() =>
            {
                "the database's disk is full: give it more storage, or drop what nobody needs; run the same command then"
            }
            Self::Query { .. } => "check that this user may read the catalogue and create tables in its schema",
            Self::Batch { .. } => {
                "correct what PostgreSQL objects to, and run the same command again: it goes on behind the rows that are done"
            }
            Self::Step { .. } => "correct the file, which was not recorded as applied, and run the same command again",
            Self::TooLong { .. } => {
                "use the form that does not lock users out (docs/database.md), or give it longer with --blocking-seconds"
            }
            Self::LeftBehind { .. } => "run the same command with --resume",
            Self::NoSuchVersion(_) => "`--status` lists the versions that are applied; 0 is the empty schema",
            Self::NotOurs(_) => "run it with the image of the release that applied it",
            Self::Unrecorded(_) => "run `migrate` once with the release that applied it: that records it",
            Self::DownEdited { .. } => "restore the file from the release that was applied",
            Self::DataLoss(losses) => {
                let flags: Vec<String> = losses
                    .iter()
                    .map(|loss| format!("--accept-data-loss={}:{}", loss.what, loss.rows))
                    .collect();
                return format!(
                    "roll back the code and keep the schema, which the older release works on; if the data may go, take a snapshot and add {}",
                    flags.join(" ")
                );
            }
            Self::WrongCount { .. } => "look at the data again; the figure to accept is the one counted now",
            Self::Uncountable { .. } => {
                "write the way back with statements whose loss can be counted: drop table, drop column, delete"
            }
        };
        text.to_owned()
    }

    /// The last event of a run that failed.
    pub fn event(&self) -> Event {
        let mut error = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            error.push_str(": ");
            error.push_str(&inner.to_string());
            cause = inner.source();
        }
        Event::Failed {
            error,
            hint: self.hint(),
            exit_code: self.exit().code(),
        }
    }

    /// The database went away in the middle.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only these carry what PostgreSQL said")]
    pub(crate) fn outage(&self) -> Option<&Cause> {
        match self {
            Self::Unreachable(cause)
            | Self::Query { cause, .. }
            | Self::Step { cause, .. }
            | Self::Batch { cause, .. }
            | Self::LeftBehind { cause, .. }
                if cause.is_outage() =>
            {
                Some(cause)
            }
            _ => None,
        }
    }
}

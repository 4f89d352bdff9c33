//! The one table of exit codes. Scripts branch on these numbers: they never change their meaning.

use std::process::ExitCode;

use tt_execute::{
    Halt, Halted, LockError, PortErrorKind, Whereabouts,
    database::{DatabaseHalt, DatabaseHalted},
};
use tt_plan::Outcome;

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Failed before anything was changed.
    Failed = 1,
    /// The command line or an environment file is wrong.
    Usage = 2,
    /// `--check`, `env check --terraform`: something differs or is pending.
    Differs = 3,
    /// Refused by policy.
    Refused = 4,
    /// A lock was not obtained: the deploy lock could not be read or written, or a table's was never free.
    Lock = 5,
    /// The release or the migration failed and was taken back.
    RolledBack = 6,
    /// Stopped half-way: `status` explains it, `deploy` or `db-migrate --resume` goes on.
    Partial = 7,
    /// Migrations are not those that were applied, or not in order.
    Drift = 8,
    /// A backup is missing or bad, or a restore did not come to what it should.
    Backup = 9,
    /// Another run holds the lock.
    Busy = 10,
    /// Something took longer than it may.
    TimedOut = 11,
    /// Waits for a person.
    Paused = 12,
    /// A defect of tt-ops, or an answer that AWS's documents do not allow.
    Internal = 70,
}

/// The table as `--help` and the documentation show it.
pub(crate) const TABLE: &str = "\
Exit codes:
   0  done
   1  failed before anything was changed
   2  the command line or an environment file is wrong
   3  something differs or is pending (--check, env check --terraform)
   4  refused by policy
   5  no lock: the deploy lock's storage failed, or a table was never free
   6  the release or the migration failed and was taken back
   7  half-way; `status` explains, `deploy` or `db-migrate --resume` goes on
   8  migrations are not those that were applied, or not in order
   9  a backup or a restore is not what it should be
  10  another run holds the lock
  11  something took longer than it may
  12  waits for a person
  70  a defect of tt-ops, or an answer that AWS's documents do not allow";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // A fieldless enum of small numbers.
        Self::from(exit as u8)
    }
}

impl Exit {
    const ALL: [Self; 14] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Differs,
        Self::Refused,
        Self::Lock,
        Self::RolledBack,
        Self::Partial,
        Self::Drift,
        Self::Backup,
        Self::Busy,
        Self::TimedOut,
        Self::Paused,
        Self::Internal,
    ];

    /// The service's `migrate` and this tool share their exit codes; one that is not among them says only that it failed.
    pub(crate) fn of_code(code: u8) -> Self {
        Self::ALL
            .into_iter()
            .find(|exit| *exit as u8 == code)
            .unwrap_or(Self::Failed)
    }

    /// Of a run of migrations that ended before the migrations themselves could.
    pub(crate) fn of_migration(halt: &Halt) -> Self {
        match halt {
            Halt::Interrupted | Halt::Overruled { .. } => Self::Partial,
            Halt::Port(error) if error.kind == PortErrorKind::Unexpected => Self::Internal,
            Halt::Lock(LockError::Held { .. } | LockError::Contended) => Self::Busy,
            Halt::Lock(LockError::Storage(_)) => Self::Lock,
            Halt::WorldMoved => Self::Refused,
            Halt::TimedOut { .. } => Self::TimedOut,
            Halt::Port(_)
            | Halt::Migration { .. }
            | Halt::Paused { .. }
            | Halt::RolledBack { .. }
            | Halt::RollbackFailed { .. } => Self::Failed,
        }
    }

    pub(crate) fn of_database(halted: &DatabaseHalted) -> Self {
        match &halted.why {
            _ if halted.left.is_some() => Self::Partial,
            DatabaseHalt::NotOurs { .. } => Self::Refused,
            DatabaseHalt::TimedOut { .. } => Self::TimedOut,
            DatabaseHalt::Port(error) if error.kind == PortErrorKind::Unexpected => Self::Internal,
            DatabaseHalt::Broken { .. } | DatabaseHalt::Gone { .. } | DatabaseHalt::Port(_) => Self::Backup,
            DatabaseHalt::Interrupted => Self::Partial,
        }
    }

    pub(crate) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Done | Outcome::Shifted => Self::Done,
            Outcome::RolledBack { .. } => Self::RolledBack,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::Running | Outcome::Interrupted { .. } => Self::Partial,
            Outcome::Paused { .. } => Self::Paused,
        }
    }

    pub(crate) fn of_halt(halted: &Halted) -> Self {
        match &halted.why {
            Halt::Lock(LockError::Held { .. } | LockError::Contended) | Halt::Overruled { .. } => Self::Busy,
            Halt::Lock(LockError::Storage(error)) => match error.kind {
                PortErrorKind::Credentials | PortErrorKind::Unreachable => Self::Failed,
                PortErrorKind::Denied
                | PortErrorKind::NotFound
                | PortErrorKind::Throttled
                | PortErrorKind::Conflict
                | PortErrorKind::Unexpected
                | PortErrorKind::Other => Self::Lock,
            },
            Halt::WorldMoved => Self::Refused,
            Halt::RolledBack { .. } => Self::RolledBack,
            Halt::RollbackFailed { .. } | Halt::Interrupted => match halted.users {
                Whereabouts::Untouched => Self::Failed,
                Whereabouts::InFlight | Whereabouts::Returned | Whereabouts::Unknown => Self::Partial,
            },
            Halt::Paused { .. } => Self::Paused,
            Halt::TimedOut { .. } => Self::TimedOut,
            Halt::Migration { .. } => Self::Failed,
            Halt::Port(error) => match (halted.users, error.kind) {
                (Whereabouts::InFlight | Whereabouts::Unknown, _) => Self::Partial,
                (Whereabouts::Returned, _) => Self::RolledBack,
                (Whereabouts::Untouched, PortErrorKind::Unexpected) => Self::Internal,
                (Whereabouts::Untouched, _) => Self::Failed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_automatic_rollback_never_looks_like_success() {
        let why = Halt::RolledBack {
            release: "1.2.0".to_owned(),
            reason: "errors".to_owned(),
        };
        assert_eq!(
            Exit::of_halt(&Halted {
                why,
                users: Whereabouts::Returned
            }),
            Exit::RolledBack
        );
        assert_ne!(Exit::RolledBack as u8, 0);
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let document = include_str!("../../../docs/events.md").replace('`', "");
        for line in TABLE.lines().skip(1) {
            let (code, meaning) = line.trim().split_once("  ").unwrap();
            let row = format!("| {code} | {} |", meaning.replace('`', ""));
            assert!(document.contains(&row), "docs/events.md lacks: {row}");
        }
    }

    #[test]
    fn every_code_stands_in_the_table() {
        for code in Exit::ALL {
            let number = format!("{:>4}  ", code as u8);
            assert!(
                TABLE.lines().any(|line| line.starts_with(&number)),
                "{code:?} is missing"
            );
        }
    }
}

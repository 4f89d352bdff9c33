//! The one table of exit codes, shared by every program that migrates. Scripts branch on these numbers.

use std::process::ExitCode;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, or nothing to do.
    Done = 0,
    /// Failed before anything was changed: the database cannot be reached.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// `--check`: migrations are pending.
    Pending = 3,
    /// Refused: by the checks of the files, by what the database looks like, or because data would be lost.
    Refused = 4,
    /// A lock was not obtained in time; nothing of that step was changed.
    Lock = 5,
    /// A step failed and was rolled back; those before it stay.
    RolledBack = 6,
    /// A step is half done and needs `--resume`.
    Partial = 7,
    /// What was applied is not what the files say.
    Drift = 8,
    /// Another runner is at work.
    Busy = 10,
    /// A defect of this program.
    Internal = 70,
}

/// The table as `--help` shows it.
pub const TABLE: &str = "\
Exit codes:
   0  done
   1  failed before anything was changed
   2  the command line is wrong
   3  migrations are pending (--check)
   4  refused by policy
   5  a lock was not obtained in time; nothing was changed
   6  a step failed and was rolled back
   7  a step is half done; run again with --resume
   8  the files are not those that were applied
  10  another run is at work
  70  a defect of this program";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

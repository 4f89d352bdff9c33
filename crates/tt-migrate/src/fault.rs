//! What can be wrong with a folder of migrations, each with what to do about it. Words only; `load` finds them.

use std::fmt;

use crate::{
    header::KEYS,
    phase::{Phase, Version},
};

/// Something wrong with one file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file's name is not `NNNN_name.up.sql` or `NNNN_name.down.sql`.
    #[error("its name is not NNNN_name.up.sql or NNNN_name.down.sql")]
    Name,
    /// Another file has this version and direction.
    #[error("{other} has the same version")]
    Twice {
        /// The other file.
        other: String,
    },
    /// The two files of a version have different names.
    #[error("its other half is called {other}")]
    Unlike {
        /// The other file.
        other: String,
    },
    /// There is no way back.
    #[error("it has no .down.sql beside it")]
    NoDown,
    /// There is a way back from nothing.
    #[error("it has no .up.sql beside it")]
    NoUp,
    /// No `-- tt: phase=…` before the first statement.
    #[error("it has no header `-- tt: phase=…` before its first statement")]
    NoHeader,
    /// More than one header.
    #[error("it has two headers")]
    TwoHeaders,
    /// A key that headers do not have.
    #[error("its header has an unknown key `{0}`")]
    UnknownKey(String),
    /// A value that the key does not take.
    #[error("its header says {key}=`{value}`, which is no value for it")]
    BadValue {
        /// The key.
        key: String,
        /// What is written.
        value: String,
    },
    /// A key that this phase has no use for.
    #[error("its header says `{key}`, which means nothing in phase {phase}")]
    Misplaced {
        /// The key.
        key: &'static str,
        /// The file's phase.
        phase: Phase,
    },
    /// A contract step does not say which releases it breaks.
    #[error("it takes something away and does not say whose releases stop working")]
    NoBreaksBelow,
    /// A contract step claims to break releases newer than itself.
    #[error("its header says breaks-below={0}, which is newer than the file itself")]
    BreaksItself(Version),
    /// A waiver without a reason.
    #[error("it waives `{0}` without saying why")]
    WaiverWithoutReason(String),
    /// A quote or comment that never ends.
    #[error("a quote or comment opens here and never closes")]
    Unterminated,
    /// Nothing to do.
    #[error("it holds no statement")]
    Empty,
    /// More than one statement outside a transaction.
    #[error("it is marked no-transaction and holds {0} statements")]
    ManyAlone(usize),
    /// A statement that does not run in a transaction, in a file that does.
    #[error("PostgreSQL refuses this statement in a transaction")]
    NeedsNoTransaction,
    /// A statement outside a transaction whose outcome nothing tells after a crash.
    #[error("it is marked no-transaction, and nothing would tell after a crash whether this statement took effect")]
    Untraceable,
    /// An index that is built concurrently without a name.
    #[error("this index is built concurrently and has no name")]
    NamelessIndex,
    /// `do` without a waiver.
    #[error("what a DO block does cannot be seen before it runs")]
    DoBlock,
    /// `begin` or `commit` in a file.
    #[error("it begins or ends a transaction itself")]
    TransactionControl,
    /// A setting changed by the file.
    #[error("it sets `{0}`, which is the runner's to set")]
    Setting(String),
    /// `not valid` and `validate` in one transaction.
    #[error("constraint `{0}` is added NOT VALID and validated in the same file")]
    ValidatedAtOnce(String),
    /// A backfill that is not one `update` or `delete` of one table.
    #[error("a backfill is one UPDATE or DELETE of one table, which the runner cuts into batches")]
    NoBatches,
}

impl Fault {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let text = match self {
            Self::Name => "name it like 0007_task_priority.up.sql, or move it out of the folder",
            Self::Twice { .. } => "give the one that was never released the next free number",
            Self::Unlike { .. } => "give both halves one name",
            Self::NoDown => {
                "write one that undoes it; if nothing has to be undone, a file with only the header `-- tt: phase=expand`"
            }
            Self::NoUp => "delete it, or restore the file it undoes",
            Self::NoHeader | Self::TwoHeaders => {
                "begin it with one line `-- tt: phase=expand`, `phase=backfill` or `phase=contract`"
            }
            Self::UnknownKey(_) => return format!("the keys are {KEYS}"),
            Self::BadValue { .. } => {
                "phase is expand, backfill or contract; breaks-below is a version such as 0005; batch is a number of rows up to 1000000"
            }
            Self::Misplaced { .. } => "breaks-below belongs to contract, batch to backfill",
            Self::NoBreaksBelow => {
                "add breaks-below=NNNN: the first schema version whose release no longer uses what is taken away"
            }
            Self::BreaksItself(_) => "it names the first schema version whose release still works, at most its own",
            Self::WaiverWithoutReason(_) => "write `-- tt-waive: RULE` and a reason of three words or more",
            Self::Unterminated => "close it",
            Self::Empty => "write the statement, or delete both files",
            Self::ManyAlone(_) => {
                "split it: PostgreSQL runs several statements that arrive together as one transaction, marked or not"
            }
            Self::NeedsNoTransaction => "move it into a file of its own that begins with `-- no-transaction`",
            Self::Untraceable => "run it in a transaction: remove `-- no-transaction`",
            Self::NamelessIndex => "name it, so that an INVALID leftover can be found and rebuilt",
            Self::DoBlock => {
                "write its statements out, or add `-- tt-waive: do-block` with the reason why that is not possible"
            }
            Self::TransactionControl => "remove it: the runner wraps each file in a transaction",
            Self::Setting(_) => "remove it: timeouts that a file sets would outlive the file",
            Self::ValidatedAtOnce(_) => {
                "move VALIDATE into the next file: in one transaction the table stays locked while it is read"
            }
            Self::NoBatches => "write one UPDATE or DELETE without a join, or make it phase=expand",
        };
        text.to_owned()
    }

    /// The rule by which a waiver can let it pass.
    pub(crate) fn rule(&self) -> Option<&'static str> {
        match self {
            Self::DoBlock => Some("do-block"),
            Self::Name
            | Self::Twice { .. }
            | Self::Unlike { .. }
            | Self::NoDown
            | Self::NoUp
            | Self::NoHeader
            | Self::TwoHeaders
            | Self::UnknownKey(_)
            | Self::BadValue { .. }
            | Self::Misplaced { .. }
            | Self::NoBreaksBelow
            | Self::BreaksItself(_)
            | Self::WaiverWithoutReason(_)
            | Self::Unterminated
            | Self::Empty
            | Self::ManyAlone(_)
            | Self::NeedsNoTransaction
            | Self::Untraceable
            | Self::NamelessIndex
            | Self::TransactionControl
            | Self::Setting(_)
            | Self::ValidatedAtOnce(_)
            | Self::NoBatches => None,
        }
    }
}

/// A fault with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file's name.
    pub file: String,
    /// The line, where it is not the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub fault: Fault,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file, self.fault),
            None => write!(formatter, "{}: {}", self.file, self.fault),
        }
    }
}

/// Everything that is wrong with a folder of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unloadable {
    /// In the order of the files.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Unloadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the migrations cannot be used")?;
        for problem in &self.problems {
            write!(formatter, "\n  {problem}\n    {}", problem.fault.hint())?;
        }
        Ok(())
    }
}

impl std::error::Error for Unloadable {}

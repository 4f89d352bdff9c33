//! What happens during a run, as facts: a versioned contract in JSON, a sentence each for people.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    look::Holder,
    loss::Loss,
    phase::{Phase, Version},
    plan::{Plan, Step},
    status::Status,
    undoing::Undoing,
};

/// The version of the JSON form. It grows when a field changes its meaning or goes.
pub const CONTRACT: u32 = 1;

/// One fact, in the order in which it became true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// What stands and what is missing.
    Status(Status),
    /// What a run would do.
    Plan(Plan),
    /// What a way back would undo and lose.
    Undoing(Undoing),
    /// Another runner is at work.
    WaitingForTurn {
        /// Who.
        holder: Option<Holder>,
    },
    /// Transactions that would make users queue behind us are waited for.
    WaitingForHolders {
        /// The migration that wants to go on.
        version: Version,
        /// Who holds what.
        holders: Vec<Holder>,
    },
    /// A step begins.
    Started {
        /// The step.
        step: Step,
    },
    /// A try ended without the lock, or in a deadlock; there will be another.
    Retrying {
        /// The migration.
        version: Version,
        /// Tries so far.
        tries: u32,
        /// What PostgreSQL said.
        reason: String,
    },
    /// What an earlier try or run left behind is taken away.
    Cleaned {
        /// The migration.
        version: Version,
        /// What it was: an INVALID index.
        what: String,
    },
    /// A step that a killed run left open is taken up.
    Resumed {
        /// The migration.
        version: Version,
        /// What became of it.
        found: Found,
    },
    /// A backfill has come so far.
    Batch {
        /// The migration.
        version: Version,
        /// Rows changed so far, by all runs.
        rows: i64,
        /// Rows in the table, as PostgreSQL estimates.
        of: i64,
        /// Rows looked at in this batch.
        batch: u32,
        /// How long its rows were locked.
        #[serde(rename = "milliseconds", with = "milliseconds")]
        took: Duration,
    },
    /// A step is done.
    Finished {
        /// The migration.
        version: Version,
        /// Its name.
        name: String,
        /// Its phase.
        phase: Phase,
        /// Which way.
        direction: Way,
        /// How long it took, the waits before it included.
        #[serde(rename = "milliseconds", with = "milliseconds")]
        took: Duration,
        /// For so long at most users of its tables had to wait; absent when none had to.
        #[serde(rename = "stall_milliseconds", with = "milliseconds::optional", default)]
        stall: Option<Duration>,
        /// Tries it took.
        tries: u32,
    },
    /// The database went away; it is tried again.
    Reconnecting {
        /// What was seen.
        reason: String,
    },
    /// What undoing would lose, counted.
    Losses {
        /// One each.
        losses: Vec<Loss>,
    },
    /// The run is over and everything that was asked for is done.
    Done {
        /// Steps that this run did.
        steps: usize,
        /// What stands now.
        version: Version,
    },
    /// The run failed.
    Failed {
        /// What went wrong, with its cause.
        error: String,
        /// What to do next.
        hint: String,
        /// The code that the program ends with.
        exit_code: u8,
    },
}

/// Which way a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// Applied.
    Up,
    /// Undone.
    Down,
}

/// What a killed run's step turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// It had taken effect and only had to be recorded.
    Done,
    /// It had not, or only in part, and is done again.
    Undone,
    /// A backfill, at the place where it stopped.
    Halfway,
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(formatter, "{status}"),
            Self::Plan(plan) => write!(formatter, "{plan}"),
            Self::Undoing(undoing) => write!(formatter, "{undoing}"),
            Self::WaitingForTurn { holder } => match holder {
                Some(holder) => write!(formatter, "waiting for another migration: {holder}"),
                None => formatter.write_str("waiting for another migration"),
            },
            Self::WaitingForHolders { version, holders } => {
                write!(formatter, "{version} waits before it locks anything: ")?;
                list(formatter, holders)
            }
            Self::Started { step } => write!(formatter, "{} {} ({})", step.version, step.name, step.phase),
            Self::Retrying { version, tries, reason } => {
                write!(formatter, "{version} tries again after try {tries}: {reason}")
            }
            Self::Cleaned { version, what } => write!(formatter, "{version} removed {what}"),
            Self::Resumed { version, found } => match found {
                Found::Done => write!(formatter, "{version} had taken effect before it was cut off"),
                Found::Undone => write!(formatter, "{version} was cut off and is done again"),
                Found::Halfway => write!(formatter, "{version} goes on where it was cut off"),
            },
            Self::Batch { version, rows, of, .. } => {
                write!(formatter, "{version} changed {rows} rows (the table has about {of})")
            }
            Self::Finished {
                version,
                name,
                direction,
                took,
                stall,
                ..
            } => {
                let verb = match direction {
                    Way::Up => "applied",
                    Way::Down => "undid",
                };
                write!(formatter, "{verb} {version} {name} in {} ms", took.as_millis())?;
                match stall {
                    Some(stall) => write!(formatter, ", users waited at most {} ms", stall.as_millis()),
                    None => Ok(()),
                }
            }
            Self::Reconnecting { reason } => write!(formatter, "the database went away, trying again: {reason}"),
            Self::Losses { losses } => {
                formatter.write_str("undoing this loses: ")?;
                list(formatter, losses)
            }
            Self::Done { steps: 0, .. } => formatter.write_str("the schema is up to date"),
            Self::Done { version, .. } => write!(formatter, "the schema is at version {version}"),
            Self::Failed { error, hint, .. } => write!(formatter, "{error}\n  next: {hint}"),
        }
    }
}

pub(crate) fn list<T: fmt::Display>(formatter: &mut fmt::Formatter<'_>, items: &[T]) -> fmt::Result {
    for (at, item) in items.iter().enumerate() {
        let gap = if at == 0 { "" } else { ", " };
        write!(formatter, "{gap}{item}")?;
    }
    Ok(())
}

/// Durations as whole milliseconds.
pub(crate) mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(whole(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }

    fn whole(duration: Duration) -> u64 {
        u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) mod optional {
        use std::time::Duration;

        use serde::{Deserialize, Deserializer, Serializer};

        #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
        pub(crate) fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
            match duration {
                Some(duration) => serializer.serialize_some(&super::whole(*duration)),
                None => serializer.serialize_none(),
            }
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
            Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_millis))
        }
    }
}

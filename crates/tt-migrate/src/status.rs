//! What stands and what is missing: facts for people and for programs.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    exit::Exit,
    history::History,
    load::Migrations,
    phase::{Phase, Version},
    schema::Schema,
};

/// What stands and what is missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The schemas that the release with these files works on.
    pub release: Schema,
    /// The last version that is applied.
    pub version: Version,
    /// Releases that know no version from this one on no longer work on this database; 0 when all do.
    pub floor: Version,
    /// What is applied, in order.
    pub applied: Vec<Applied>,
    /// What is not, in order.
    pub pending: Vec<Pending>,
    /// Steps that were cut off half-way.
    pub open: Vec<Version>,
    /// How files and database disagree.
    pub drift: Vec<String>,
    /// Indexes that a cut-off build left INVALID.
    pub invalid_indexes: Vec<String>,
    /// Why this release could not serve on the database, if it could not.
    pub unfit: Option<String>,
}

/// One migration that is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// Its number.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// Its phase; none when a newer release brought it.
    pub phase: Option<Phase>,
    /// Contract only: whom it broke.
    pub breaks_below: Option<Version>,
}

/// One migration that is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Its number.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// Contract only: whom it will break.
    pub breaks_below: Option<Version>,
}

impl Status {
    /// What asking for it ends with: files that are not those that were applied, or a step that was cut off, are no good answer.
    pub fn exit(&self) -> Exit {
        if !self.drift.is_empty() {
            Exit::Drift
        } else if !self.open.is_empty() {
            Exit::Partial
        } else {
            Exit::Done
        }
    }

    pub(crate) fn new(history: &History, migrations: &Migrations, invalid_indexes: Vec<String>) -> Self {
        let applied = history.records.iter().map(|record| Applied {
            version: record.version,
            name: record.name.clone(),
            phase: migrations.get(record.version).map(|migration| migration.phase),
            breaks_below: history.entry(record.version).and_then(|entry| entry.breaks_below),
        });
        let pending = history.pending(migrations).map(|migration| Pending {
            version: migration.version,
            name: migration.name.clone(),
            phase: migration.phase,
            breaks_below: migration.breaks_below,
        });
        Self {
            release: migrations.schema(),
            version: history.last(),
            floor: history.floor(),
            applied: applied.collect(),
            pending: pending.collect(),
            open: history.open().iter().map(|entry| entry.version).collect(),
            drift: history.drift(migrations).iter().map(ToString::to_string).collect(),
            invalid_indexes,
            unfit: history.fits(migrations).err().map(|unfit| unfit.to_string()),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "the schema is at version {}; this release needs {} and knows {}",
            self.version, self.release.needs, self.release.knows
        )?;
        for applied in &self.applied {
            let phase = applied.phase.map_or("newer release", Phase::as_str);
            write!(formatter, "\n  applied  {} {} ({phase})", applied.version, applied.name)?;
        }
        for pending in &self.pending {
            write!(
                formatter,
                "\n  pending  {} {} ({})",
                pending.version, pending.name, pending.phase
            )?;
        }
        for version in &self.open {
            write!(formatter, "\n  cut off  {version}: needs --resume")?;
        }
        for index in &self.invalid_indexes {
            write!(formatter, "\n  INVALID  index {index}")?;
        }
        for drift in &self.drift {
            write!(formatter, "\n  drift    {drift}")?;
        }
        match &self.unfit {
            Some(unfit) => write!(formatter, "\n  {unfit}"),
            None => Ok(()),
        }
    }
}

//! What is applied, held against the files. Pure: rows in, a verdict out.

use std::fmt;

use crate::{
    journal::Tables,
    load::{Migration, Migrations},
    phase::{Phase, Version},
    schema::Schema,
    script::Way,
};

/// A row of sqlx's table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) version: Version,
    pub(crate) name: String,
    pub(crate) success: bool,
    pub(crate) checksum: Vec<u8>,
}

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) version: Version,
    pub(crate) name: String,
    pub(crate) breaks_below: Option<Version>,
    pub(crate) up_sha256: Vec<u8>,
    pub(crate) down_sha256: Vec<u8>,
    pub(crate) backend_pid: i32,
    pub(crate) finished: bool,
    pub(crate) undoing: bool,
    pub(crate) cursor: Option<String>,
    pub(crate) rows: i64,
}

/// Both tables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    pub(crate) tables: Tables,
    pub(crate) records: Vec<Record>,
    pub(crate) entries: Vec<Entry>,
}

/// How files and database disagree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drift {
    /// The file is not the one that was applied.
    Edited {
        /// Its number.
        version: Version,
        /// The file.
        file: String,
    },
    /// A file has come in below what is applied.
    OutOfOrder {
        /// Its number.
        version: Version,
        /// The file.
        file: String,
        /// What is applied above it.
        above: Version,
    },
    /// Something is applied that has no file, below the last file there is.
    Gone {
        /// Its number.
        version: Version,
        /// Its name.
        name: String,
    },
    /// sqlx has recorded a failure.
    Dirty {
        /// Its number.
        version: Version,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited { version, file } => {
                write!(
                    formatter,
                    "migration {version} was edited after it was applied ({file})"
                )
            }
            Self::OutOfOrder { version, file, above } => {
                write!(
                    formatter,
                    "migration {version} was added below {above}, which is applied ({file})"
                )
            }
            Self::Gone { version, name } => {
                write!(formatter, "migration {version} {name} is applied and its file is gone")
            }
            Self::Dirty { version } => write!(formatter, "migration {version} is recorded as failed by another tool"),
        }
    }
}

/// Why a release cannot serve on a schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// What the release needs is not all there.
    #[error("the schema is at version {} and this release needs {}: run `task-tracker migrate` first", .found.number(), .needed.number())]
    Behind {
        /// The last version that is applied without a gap.
        found: Version,
        /// What the release needs.
        needed: Version,
    },
    /// What the release uses was taken away.
    #[error("migration {} {name} took away what releases below schema {} use, and this one knows schema {}: run a newer release", .version.number(), .breaks_below.number(), .knows.number())]
    Contracted {
        /// The step that did.
        version: Version,
        /// Its name.
        name: String,
        /// Whom it breaks.
        breaks_below: Version,
        /// What this release knows.
        knows: Version,
    },
}

impl History {
    pub(crate) fn is_applied(&self, version: Version) -> bool {
        self.records
            .iter()
            .any(|record| record.version == version && record.success)
    }

    pub(crate) fn entry(&self, version: Version) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.version == version)
    }

    /// The last version that is applied.
    pub(crate) fn last(&self) -> Version {
        let applied = self.records.iter().filter(|record| record.success);
        applied.map(|record| record.version).max().unwrap_or_default()
    }

    /// Everything in which files and database disagree.
    pub(crate) fn drift(&self, migrations: &Migrations) -> Vec<Drift> {
        let mut found = Vec::new();
        let newest = migrations.schema().knows;
        for record in &self.records {
            let version = record.version;
            match migrations.get(version) {
                _ if !record.success => found.push(Drift::Dirty { version }),
                Some(migration) if migration.up.was_recorded_as(&record.checksum) => {}
                Some(migration) => found.push(Drift::Edited {
                    version,
                    file: migration.up.file.clone(),
                }),
                None if version < newest => found.push(Drift::Gone {
                    version,
                    name: record.name.clone(),
                }),
                // A newer release has been here.
                None => {}
            }
        }
        found.extend(self.open().into_iter().filter_map(|entry| {
            let migration = migrations.get(entry.version)?;
            let same = migration.up.digest() == entry.up_sha256;
            (!same).then(|| Drift::Edited {
                version: entry.version,
                file: migration.up.file.clone(),
            })
        }));
        found.extend(self.pending(migrations).filter_map(|migration| {
            let above = self.overtaken(migration, migrations)?;
            Some(Drift::OutOfOrder {
                version: migration.version,
                file: migration.up.file.clone(),
                above,
            })
        }));
        found
    }

    /// Something applied that should have come after this one. Expansions may overtake backfills and contractions, and
    /// backfills contractions, because they run phase by phase; anything else above it came out of order.
    fn overtaken(&self, migration: &Migration, migrations: &Migrations) -> Option<Version> {
        let above = self.records.iter().filter(|record| record.version > migration.version);
        above
            .filter(|record| {
                let phase = migrations.get(record.version).map(|other| other.phase);
                phase.is_none_or(|phase| phase >= migration.phase)
            })
            .map(|record| record.version)
            .min()
    }

    pub(crate) fn pending<'m>(&self, migrations: &'m Migrations) -> impl Iterator<Item = &'m Migration> {
        migrations
            .iter()
            .filter(|migration| !self.is_applied(migration.version))
    }

    /// Steps that have begun and not ended.
    pub(crate) fn open(&self) -> Vec<&Entry> {
        self.entries.iter().filter(|entry| !entry.finished).collect()
    }

    /// An open step that only `--resume` may touch. A backfill is none: its cursor says where to go on.
    pub(crate) fn interrupted(&self, migrations: &Migrations) -> Option<&Entry> {
        self.open().into_iter().find(|entry| {
            let batches = migrations
                .get(entry.version)
                .is_some_and(|migration| matches!(migration.up.way, Way::Batches { .. }));
            !batches || entry.undoing
        })
    }

    /// Whether a release with this range can serve.
    pub(crate) fn fits(&self, migrations: &Migrations) -> Result<(), Unfit> {
        let schema: Schema = migrations.schema();
        let missing = migrations
            .iter()
            .find(|migration| migration.phase == Phase::Expand && !self.is_applied(migration.version));
        if let Some(missing) = missing {
            let below = self
                .records
                .iter()
                .filter(|record| record.version < missing.version && record.success);
            return Err(Unfit::Behind {
                found: below.map(|record| record.version).max().unwrap_or_default(),
                needed: schema.needs,
            });
        }
        let broken = self.entries.iter().find_map(|entry| {
            let below = entry.breaks_below?;
            let gone = self.is_applied(entry.version) || (!entry.finished && !entry.undoing);
            (gone && !schema.survives(below)).then_some((entry, below))
        });
        match broken {
            Some((entry, breaks_below)) => Err(Unfit::Contracted {
                version: entry.version,
                name: entry.name.clone(),
                breaks_below,
                knows: schema.knows,
            }),
            None => Ok(()),
        }
    }

    /// The highest `breaks-below` among the applied contract steps: releases that know no version from it on do not work.
    pub(crate) fn floor(&self) -> Version {
        let below = self.entries.iter().filter_map(|entry| entry.breaks_below);
        below.max().unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;

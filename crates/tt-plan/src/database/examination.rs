//! What a look into a database found, and whether a restored copy is what its source should have become.

use serde::{Deserialize, Serialize};

/// What a look into a database found. The service prints it as JSON, so its fields are a contract with every release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// PostgreSQL's version.
    pub server: String,
    /// Size of the database on disk.
    pub bytes: u64,
    /// Applied migrations by version, as sqlx's table has them.
    pub migrations: Vec<AppliedMigration>,
    /// The migrations of whoever looked, each by every checksum under which it may have been recorded; none from a release that does
    /// not say them.
    #[serde(default)]
    pub known: Vec<AppliedMigration>,
    /// Tables outside of PostgreSQL's own schemas.
    pub tables: Vec<TableCount>,
    /// Constraints that were never validated, `table.constraint`.
    pub unvalidated: Vec<String>,
    /// Indexes that PostgreSQL does not use because their build failed.
    pub invalid_indexes: Vec<String>,
    /// Whether pages and indexes are sound.
    pub amcheck: Amcheck,
}

/// A migration in sqlx's table, or in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppliedMigration {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Its checksum in hexadecimal.
    pub checksum: String,
}

/// A table and its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCount {
    /// `schema.table`.
    pub table: String,
    /// Counted, or estimated by PostgreSQL where a count would cost users too much.
    pub rows: u64,
}

/// What PostgreSQL's extension `amcheck` says, the one that the program `pg_amcheck` calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "amcheck", rename_all = "kebab-case")]
pub enum Amcheck {
    /// Everything is sound.
    Sound {
        /// Tables that were read in full.
        tables: u64,
        /// B-tree indexes that were compared with their tables.
        indexes: u64,
    },
    /// Something is damaged.
    Damaged {
        /// PostgreSQL's words.
        findings: Vec<String>,
    },
    /// It was not checked.
    NotDone {
        /// Why.
        reason: String,
    },
}

/// One thing that was compared, with what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "kebab-case")]
pub enum ExaminationFinding {
    /// Each migration in the copy is one that the release in use, or else the source, knows by the same checksum.
    Migrations {
        /// So many are applied.
        applied: usize,
        /// Those that are not known, or have another checksum.
        unknown: Vec<i64>,
    },
    /// There are tables, with rows in them.
    Rows {
        /// So many tables.
        tables: usize,
        /// Rows in all of them.
        rows: u64,
        /// Rows in the source, as PostgreSQL estimates them.
        source_rows: u64,
        /// Tables of the source that the copy lacks although both are at the same migration.
        missing: Vec<String>,
    },
    /// Constraints hold.
    Constraints {
        /// Those that were never validated in the copy, but were in the source.
        unvalidated: Vec<String>,
    },
    /// Indexes are usable.
    Indexes {
        /// Those that are not, but are in the source.
        invalid: Vec<String>,
    },
    /// Pages are sound.
    Pages {
        /// What amcheck says.
        found: Amcheck,
    },
}

/// What a finding comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// In order.
    Passed,
    /// Not in order, or nothing there to judge by.
    Failed,
    /// Not looked at; said, and neither good nor bad.
    NotDone,
}

impl ExaminationFinding {
    /// One word for tables and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Migrations { .. } => "migrations",
            Self::Rows { .. } => "rows",
            Self::Constraints { .. } => "constraints",
            Self::Indexes { .. } => "indexes",
            Self::Pages { .. } => "pages",
        }
    }

    /// What it comes to. Nothing to judge by is a failure: an empty copy proves no backup.
    pub fn verdict(&self) -> Verdict {
        let passed = match self {
            Self::Migrations { applied, unknown } => *applied > 0 && unknown.is_empty(),
            Self::Rows {
                tables, rows, missing, ..
            } => *tables > 0 && *rows > 0 && missing.is_empty(),
            Self::Constraints { unvalidated: wrong } | Self::Indexes { invalid: wrong } => wrong.is_empty(),
            Self::Pages { found } => match found {
                Amcheck::Sound { .. } => true,
                Amcheck::Damaged { .. } => false,
                Amcheck::NotDone { .. } => return Verdict::NotDone,
            },
        };
        if passed { Verdict::Passed } else { Verdict::Failed }
    }
}

/// The table that migrations themselves are kept in; its rows are no data.
const BOOKKEEPING: &str = "_sqlx_migrations";

/// Holds a copy against its source.
pub fn compare(source: &Examination, copy: &Examination) -> Vec<ExaminationFinding> {
    let unknown = copy
        .migrations
        .iter()
        .filter(|applied| !is_known(applied, source, copy));
    let data = |found: &Examination| -> Vec<TableCount> {
        let is_data = |table: &&TableCount| !table.table.ends_with(BOOKKEEPING);
        found.tables.iter().filter(is_data).cloned().collect()
    };
    let (tables, source_tables) = (data(copy), data(source));
    let same_schema = versions(source) == versions(copy);
    let missing = source_tables
        .iter()
        .filter(|table| same_schema && !tables.iter().any(|found| found.table == table.table))
        .map(|table| table.table.clone());
    vec![
        ExaminationFinding::Migrations {
            applied: copy.migrations.len(),
            unknown: unknown.map(|applied| applied.version).collect(),
        },
        ExaminationFinding::Rows {
            tables: tables.len(),
            rows: tables.iter().map(|table| table.rows).sum(),
            source_rows: source_tables.iter().map(|table| table.rows).sum(),
            missing: missing.collect(),
        },
        ExaminationFinding::Constraints {
            unvalidated: new(&copy.unvalidated, &source.unvalidated),
        },
        ExaminationFinding::Indexes {
            invalid: new(&copy.invalid_indexes, &source.invalid_indexes),
        },
        ExaminationFinding::Pages {
            found: copy.amcheck.clone(),
        },
    ]
}

/// Whether the release in use would go on from this migration.
///
/// The release's own files decide: a copy that it would refuse to migrate is no recovery, be its source the same. The source speaks only for
/// what the release does not have, because it is older than the schema or does not say what it has.
fn is_known(applied: &AppliedMigration, source: &Examination, copy: &Examination) -> bool {
    let of_version = |all: &[AppliedMigration]| -> Vec<String> {
        let same = all.iter().filter(|known| known.version == applied.version);
        same.map(|known| known.checksum.clone()).collect()
    };
    let mut checksums = of_version(&copy.known);
    if checksums.is_empty() {
        checksums = of_version(&source.migrations);
    }
    checksums.contains(&applied.checksum)
}

fn versions(found: &Examination) -> Vec<i64> {
    found.migrations.iter().map(|applied| applied.version).collect()
}

/// A flaw that the source has as well is none of the backup.
fn new(copy: &[String], source: &[String]) -> Vec<String> {
    copy.iter().filter(|flaw| !source.contains(flaw)).cloned().collect()
}

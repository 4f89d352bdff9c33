//! What a run would do, statement by statement, with the tables' sizes and whoever is in the way right now.
//!
//! Made from the files and a look at the database inside `begin read only`: it takes no lock beyond a reader's, creates
//! nothing and waits for nobody.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};

use crate::{
    event::list,
    failure::Failure,
    load::{Migration, Migrations},
    look::{self, Holder},
    phase::{Phase, Version},
    rules::{self, Finding},
    script::Way,
    statement::{Effect, Statement, Work},
};

/// What a run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Step by step.
    pub steps: Vec<Step>,
}

/// One migration of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its number.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// Its phase.
    pub phase: Phase,
    /// How it is run.
    pub way: Manner,
    /// Contract only: whom it breaks.
    pub breaks_below: Option<Version>,
    /// Its statements.
    pub statements: Vec<Planned>,
    /// What the checks say about it.
    pub findings: Vec<Finding>,
}

/// How a step is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Manner {
    /// In one transaction.
    Transaction,
    /// By itself.
    Alone,
    /// In batches.
    Batches,
}

/// One statement of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planned {
    /// Its line in the file.
    pub line: usize,
    /// Its beginning, on one line.
    pub statement: String,
    /// The locks it takes on tables that are there.
    pub locks: Vec<Lock>,
}

/// One lock of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// What it takes, and the work under it.
    #[serde(flatten)]
    pub effect: Effect,
    /// Readers wait while it is held.
    pub blocks_reads: bool,
    /// Writers wait while it is held.
    pub blocks_writes: bool,
    /// Size of the relation with its indexes; none when it is not there yet.
    pub bytes: Option<i64>,
    /// Rows, as PostgreSQL estimates.
    pub rows: Option<i64>,
    /// Who is in the way now.
    pub holders: Vec<Holder>,
}

impl Step {
    /// The step as the files have it, without a look at the database.
    pub(crate) fn of(migrations: &Migrations, migration: &Migration) -> Self {
        let script = &migration.up;
        let creates = script.creates();
        Self {
            version: migration.version,
            name: migration.name.clone(),
            phase: migration.phase,
            way: match script.way {
                Way::Transaction => Manner::Transaction,
                Way::Alone(_) => Manner::Alone,
                Way::Batches { .. } => Manner::Batches,
            },
            breaks_below: migration.breaks_below,
            statements: script
                .statements
                .iter()
                .map(|statement| Planned {
                    line: statement.line,
                    statement: beginning(statement),
                    locks: statement
                        .effects()
                        .into_iter()
                        .filter(|effect| !creates.contains(&&effect.relation))
                        .map(Lock::of)
                        .collect(),
                })
                .collect(),
            findings: rules::check(script, migration.phase, migrations.before(migration.version)),
        }
    }
}

impl Lock {
    fn of(effect: Effect) -> Self {
        Self {
            blocks_reads: effect.mode.blocks_reads(),
            blocks_writes: effect.mode.blocks_writes(),
            effect,
            bytes: None,
            rows: None,
            holders: Vec::new(),
        }
    }
}

pub(crate) fn beginning(statement: &Statement) -> String {
    const SHOWN: usize = 100;
    let line: Vec<&str> = statement.text.split_whitespace().collect();
    let line = line.join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// Looks at the database for every pending step.
pub(crate) async fn make<'m>(
    connection: &mut PgConnection,
    migrations: &'m Migrations,
    pending: impl Iterator<Item = &'m Migration>,
    old: Duration,
) -> Result<Plan, Failure> {
    let mut steps: Vec<Step> = pending.map(|migration| Step::of(migrations, migration)).collect();
    let mut sizes = BTreeMap::new();
    for lock in steps
        .iter_mut()
        .flat_map(|step| &mut step.statements)
        .flat_map(|planned| &mut planned.locks)
    {
        let name = lock.effect.relation.quoted();
        if !sizes.contains_key(&name) {
            let size = size(connection, &name).await?;
            sizes.insert(name.clone(), size);
        }
        if let Some(Some((bytes, rows))) = sizes.get(&name) {
            lock.bytes = Some(*bytes);
            lock.rows = Some(*rows);
            lock.holders = look::holders(connection, std::slice::from_ref(&lock.effect), old).await?;
        }
    }
    Ok(Plan { steps })
}

async fn size(connection: &mut PgConnection, name: &str) -> Result<Option<(i64, i64)>, Failure> {
    sqlx::query_as(
        "select pg_total_relation_size(oid), greatest(reltuples, 0)::bigint from pg_class where oid = to_regclass($1)",
    )
    .bind(name)
    .fetch_optional(connection)
    .await
    .map_err(Failure::query("read the size of a table"))
}

/// Runs a look at the database in a transaction that can change nothing.
pub(crate) async fn reading<T>(
    connection: &mut PgConnection,
    look: impl AsyncFnOnce(&mut PgConnection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = || Failure::query("look at the database");
    let mut transaction = connection.begin_with("begin read only").await.map_err(failed())?;
    let found = look(&mut transaction).await?;
    transaction.rollback().await.map_err(failed())?;
    Ok(found)
}

/// Those of the migrations that are pending in these phases.
pub(crate) fn wanted<'m>(
    migrations: &'m Migrations,
    history: &crate::history::History,
    phases: &[Phase],
) -> Vec<&'m Migration> {
    history
        .pending(migrations)
        .filter(|migration| phases.contains(&migration.phase))
        .collect()
}

impl fmt::Display for Plan {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return formatter.write_str("nothing is pending");
        }
        for (at, step) in self.steps.iter().enumerate() {
            let gap = if at == 0 { "" } else { "\n" };
            write!(formatter, "{gap}{step}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let way = match self.way {
            Manner::Transaction => "in one transaction",
            Manner::Alone => "outside a transaction",
            Manner::Batches => "in batches",
        };
        write!(formatter, "{} {} ({}, {way}", self.version, self.name, self.phase)?;
        match self.breaks_below {
            Some(below) => write!(formatter, ", breaks releases below {below})")?,
            None => formatter.write_str(")")?,
        }
        for planned in &self.statements {
            write!(formatter, "\n  {}", planned.statement)?;
            for lock in &planned.locks {
                write!(formatter, "\n    {lock}")?;
            }
        }
        for finding in &self.findings {
            write!(formatter, "\n  ! {finding}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Lock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocks = match (self.blocks_reads, self.blocks_writes) {
            (true, _) => "blocks reads and writes",
            (false, true) => "blocks writes",
            (false, false) => "blocks nobody",
        };
        let work = match self.effect.work {
            Work::Catalog => "catalogue only",
            Work::Scan => "reads every row",
            Work::Rewrite => "rewrites the table",
        };
        write!(
            formatter,
            "{} on {}: {blocks}, {work}",
            self.effect.mode, self.effect.relation
        )?;
        if let (Some(bytes), Some(rows)) = (self.bytes, self.rows) {
            write!(formatter, " ({} KiB, about {rows} rows)", bytes / 1024)?;
        }
        if !self.holders.is_empty() {
            formatter.write_str("; in the way now: ")?;
            list(formatter, &self.holders)?;
        }
        Ok(())
    }
}

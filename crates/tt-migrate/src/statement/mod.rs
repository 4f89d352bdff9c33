//! What one SQL statement does to which relation, as far as locks, retries and lost data depend on it.
//!
//! What is not known is [`Act::Other`], which is run under the same short lock timeout as everything else, only without
//! looking first. Pure.

mod read;

use crate::{
    alter::Change,
    body::{Body, Depth, Routine},
    lock::LockMode,
    relation::Relation,
    words::{Word, line},
};

/// One statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// As it is written, without the final `;`.
    pub text: String,
    /// Its first line, from 1.
    pub line: usize,
    /// What it does.
    pub act: Act,
}

/// Whether a statement works in several transactions of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// In one go, in the transaction around it.
    AtOnce,
    /// `concurrently`: users go on, and it cannot stand in a transaction.
    Concurrently,
}

/// A row-writing statement on one table, with where its condition stands in the statement's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The table.
    pub table: Relation,
    /// What its columns are qualified with.
    pub(crate) alias: String,
    /// The bytes of the condition after `where`.
    pub(crate) condition: Option<std::ops::Range<usize>>,
    /// Where `where …` begins, or would.
    pub(crate) tail: usize,
    /// Where what follows the condition (`returning …`) begins.
    pub(crate) end: usize,
    /// It reads other tables (`from`, `using`) or begins with `with`.
    pub(crate) joins: bool,
}

/// What a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// `create table`, also `… as`.
    CreateTable {
        /// The table.
        table: Relation,
        /// Tables that its foreign keys point to: writers of those wait until it commits.
        references: Vec<Relation>,
    },
    /// `alter table` with its parts.
    AlterTable {
        /// The table.
        table: Relation,
        /// The parts, in order.
        changes: Vec<Change>,
    },
    /// `drop table`.
    DropTable(Vec<Relation>),
    /// `truncate`.
    Truncate(Vec<Relation>),
    /// `create index`.
    CreateIndex {
        /// Its name; PostgreSQL makes one up where none is given.
        index: Option<Relation>,
        /// The table.
        table: Relation,
        /// Whether users go on.
        manner: Manner,
    },
    /// `drop index`.
    DropIndex {
        /// Which.
        indexes: Vec<Relation>,
        /// Whether users go on.
        manner: Manner,
    },
    /// `reindex index` or `reindex table`.
    Reindex {
        /// The index or the table.
        target: Relation,
        /// Whether users go on.
        manner: Manner,
    },
    /// `refresh materialized view`.
    Refresh {
        /// Which.
        view: Relation,
        /// Whether readers go on.
        manner: Manner,
    },
    /// `create trigger`.
    CreateTrigger(Relation),
    /// `drop trigger`.
    DropTrigger(Relation),
    /// `lock table`.
    Lock(Vec<Relation>),
    /// `alter type … add value`.
    AddEnumValue {
        /// The type.
        of: Relation,
        /// The value as it is written.
        value: String,
    },
    /// `update`.
    Update(Write),
    /// `delete from`.
    Delete(Write),
    /// `vacuum` or `analyze` of a table, or of all.
    Maintain {
        /// `vacuum` cannot stand in a transaction, `analyze` can.
        vacuum: bool,
        /// `vacuum full` rewrites.
        full: bool,
        /// The tables.
        tables: Vec<Relation>,
    },
    /// `do`.
    Do(Body),
    /// `create function` or `create procedure`: what is in it runs when it is called.
    Routine(Routine),
    /// `call` of a procedure.
    Call(Relation),
    /// `select`, `insert`, `values`, `perform`: waits for nobody but whoever writes the same rows.
    Rows,
    /// `set` or `reset` of a setting.
    Set(String),
    /// `begin`, `commit`, `rollback`, `savepoint` and the like.
    Transaction,
    /// `drop schema`, `drop owned`, `drop database`: takes what is in it along.
    DropMany,
    /// Takes no lock that users of an existing table feel, or is not known.
    Other,
}

/// How much work a statement does while it holds its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Only the catalogue: over at once, whatever the size.
    Catalog,
    /// Reads every row.
    Scan,
    /// Writes the whole table anew.
    Rewrite,
}

/// One lock that a statement takes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Effect {
    /// On what.
    pub relation: Relation,
    /// Which lock.
    pub mode: LockMode,
    /// What it does while it holds it.
    pub work: Work,
}

impl Effect {
    pub(crate) fn new(relation: &Relation, mode: LockMode, work: Work) -> Self {
        Self {
            relation: relation.clone(),
            mode,
            work,
        }
    }
}

impl Statement {
    pub(crate) fn read(text: &str, words: &[Word<'_>], depth: Depth) -> Self {
        let start = words.first().map_or(0, |word| word.start);
        let end = words.last().map_or(start, Word::end);
        Self {
            text: text.get(start..end).unwrap_or_default().to_owned(),
            line: line(text, start),
            act: read::act(text, words, start, depth),
        }
    }

    /// The locks it takes on tables that exist before it.
    pub fn effects(&self) -> Vec<Effect> {
        use LockMode::{AccessExclusive, Exclusive, RowExclusive, Share, ShareRowExclusive, ShareUpdateExclusive};
        let each = |relations: &[Relation], mode, work| {
            relations
                .iter()
                .map(|relation| Effect::new(relation, mode, work))
                .collect()
        };
        match &self.act {
            Act::AlterTable { table, changes } => changes.iter().flat_map(|change| change.effects(table)).collect(),
            Act::DropTable(tables) | Act::Truncate(tables) | Act::Lock(tables) => {
                each(tables, AccessExclusive, Work::Catalog)
            }
            Act::CreateIndex { table, manner, .. } => match manner {
                Manner::AtOnce => vec![Effect::new(table, Share, Work::Scan)],
                Manner::Concurrently => vec![Effect::new(table, ShareUpdateExclusive, Work::Scan)],
            },
            Act::DropIndex { indexes, manner } => match manner {
                Manner::AtOnce => each(indexes, AccessExclusive, Work::Catalog),
                Manner::Concurrently => each(indexes, ShareUpdateExclusive, Work::Catalog),
            },
            Act::Reindex { target, manner } => match manner {
                Manner::AtOnce => vec![Effect::new(target, AccessExclusive, Work::Scan)],
                Manner::Concurrently => vec![Effect::new(target, ShareUpdateExclusive, Work::Scan)],
            },
            Act::Refresh { view, manner } => match manner {
                Manner::AtOnce => vec![Effect::new(view, AccessExclusive, Work::Rewrite)],
                Manner::Concurrently => vec![Effect::new(view, Exclusive, Work::Scan)],
            },
            Act::CreateTrigger(table) => vec![Effect::new(table, ShareRowExclusive, Work::Catalog)],
            Act::DropTrigger(table) => vec![Effect::new(table, AccessExclusive, Work::Catalog)],
            Act::Update(write) | Act::Delete(write) => vec![Effect::new(&write.table, RowExclusive, Work::Scan)],
            Act::Maintain { full, tables, .. } => {
                if *full {
                    each(tables, AccessExclusive, Work::Rewrite)
                } else {
                    each(tables, ShareUpdateExclusive, Work::Scan)
                }
            }
            Act::CreateTable { references, .. } => each(references, ShareRowExclusive, Work::Catalog),
            Act::Do(body) => body.statements.iter().flat_map(Self::effects).collect(),
            Act::AddEnumValue { .. }
            | Act::Routine(_)
            | Act::Call(_)
            | Act::Rows
            | Act::Set(_)
            | Act::Transaction
            | Act::DropMany
            | Act::Other => Vec::new(),
        }
    }

    /// PostgreSQL refuses it in a transaction.
    pub(crate) fn stands_alone(&self) -> bool {
        match &self.act {
            Act::CreateIndex { manner, .. } | Act::DropIndex { manner, .. } | Act::Reindex { manner, .. } => {
                *manner == Manner::Concurrently
            }
            Act::Maintain { vacuum, .. } => *vacuum,
            Act::AlterTable { changes, .. } => changes.contains(&Change::DetachConcurrently),
            Act::CreateTable { .. }
            | Act::DropTable(_)
            | Act::Truncate(_)
            | Act::Refresh { .. }
            | Act::CreateTrigger(_)
            | Act::DropTrigger(_)
            | Act::Lock(_)
            | Act::AddEnumValue { .. }
            | Act::Update(_)
            | Act::Delete(_)
            | Act::Do(_)
            | Act::Routine(_)
            | Act::Call(_)
            | Act::Rows
            | Act::Set(_)
            | Act::Transaction
            | Act::DropMany
            | Act::Other => false,
        }
    }

    /// It may take locks that [`Self::effects`] does not name: there is more in it than can be read, or it is not known.
    pub(crate) fn may_lock_unseen(&self) -> bool {
        match &self.act {
            Act::Do(body) => body.hidden.is_some() || body.statements.iter().any(Self::may_lock_unseen),
            Act::Call(_) | Act::DropMany | Act::Other => true,
            Act::CreateTable { .. }
            | Act::AlterTable { .. }
            | Act::DropTable(_)
            | Act::Truncate(_)
            | Act::CreateIndex { .. }
            | Act::DropIndex { .. }
            | Act::Reindex { .. }
            | Act::Refresh { .. }
            | Act::CreateTrigger(_)
            | Act::DropTrigger(_)
            | Act::Lock(_)
            | Act::AddEnumValue { .. }
            | Act::Update(_)
            | Act::Delete(_)
            | Act::Maintain { .. }
            | Act::Routine(_)
            | Act::Rows
            | Act::Set(_)
            | Act::Transaction => false,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

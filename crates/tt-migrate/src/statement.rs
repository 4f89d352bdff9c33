//! What one SQL statement does to which relation, as far as locks, retries and lost data depend on it.
//!
//! Reads the head of a statement, not its expressions: what it does not know is [`Act::Other`], which is run under the
//! same short lock timeout as everything else, only without looking first. Pure.

use crate::{
    alter::{self, Change},
    body::{self, Body, Depth, Routine},
    lock::LockMode,
    relation::Relation,
    words::{Kind, Reader, Word, line, outside},
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
            act: read(text, words, start, depth),
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

fn read(text: &str, words: &[Word<'_>], offset: usize, depth: Depth) -> Act {
    let mut reader = Reader::new(words);
    let first = reader.identifier().unwrap_or_default();
    let found = match first.as_str() {
        "create" => create(text, &mut reader, depth),
        "alter" => alter_statement(&mut reader),
        "drop" => drop_statement(&mut reader),
        "truncate" => {
            reader.take(&["table"]);
            Some(Act::Truncate(reader.relations()))
        }
        "reindex" => reindex(&mut reader),
        "refresh" => refresh(&mut reader),
        "lock" => {
            reader.take(&["table"]);
            Some(Act::Lock(reader.relations()))
        }
        "update" => write(&mut reader, words, offset, &["from"]).map(Act::Update),
        "delete" => reader
            .take(&["from"])
            .then(|| write(&mut reader, words, offset, &["using"]).map(Act::Delete))
            .flatten(),
        "with" => with(words, offset),
        "vacuum" | "analyze" => Some(maintain(&first, &mut reader)),
        "do" => Some(Act::Do(body::block(text, reader.rest(), depth))),
        "call" => reader.relation().map(Act::Call),
        "select" | "insert" | "values" | "perform" => Some(Act::Rows),
        "set" | "reset" => set(&mut reader),
        "begin" | "start" | "commit" | "rollback" | "end" | "abort" | "savepoint" | "release" | "prepare" => {
            Some(Act::Transaction)
        }
        _ => None,
    };
    found.unwrap_or(Act::Other)
}

fn create(text: &str, reader: &mut Reader<'_, '_>, depth: Depth) -> Option<Act> {
    for noise in [
        &["or", "replace"][..],
        &["unique"],
        &["constraint"],
        &["unlogged"],
        &["global"],
        &["local"],
    ] {
        reader.take(noise);
    }
    if reader.take(&["temporary"]) || reader.take(&["temp"]) {
        return None;
    }
    if reader.take(&["index"]) {
        return create_index(reader);
    }
    if reader.take(&["function"]) || reader.take(&["procedure"]) {
        return body::routine(text, reader, depth).map(Act::Routine);
    }
    if reader.take(&["trigger"]) {
        reader.identifier()?;
        return after(reader, "on").map(Act::CreateTrigger);
    }
    if reader.take(&["table"]) || reader.take(&["materialized", "view"]) {
        reader.take(&["if", "not", "exists"]);
        let table = reader.relation()?;
        let references = alter::all_referenced(reader.rest());
        return Some(Act::CreateTable { table, references });
    }
    None
}

fn create_index(reader: &mut Reader<'_, '_>) -> Option<Act> {
    let manner = manner(reader);
    reader.take(&["if", "not", "exists"]);
    let name = if reader.peek()?.is("on") {
        None
    } else {
        Some(reader.relation()?)
    };
    reader.take(&["on"]).then_some(())?;
    reader.take(&["only"]);
    let table = reader.relation()?;
    let index = name.map(|name| table.beside(name.name()));
    Some(Act::CreateIndex { index, table, manner })
}

fn alter_statement(reader: &mut Reader<'_, '_>) -> Option<Act> {
    if reader.take(&["type"]) {
        let of = reader.relation()?;
        reader.take(&["add", "value"]).then_some(())?;
        reader.take(&["if", "not", "exists"]);
        let value = reader.peek().filter(|word| word.kind == Kind::Constant)?;
        return Some(Act::AddEnumValue {
            of,
            value: value.text.to_owned(),
        });
    }
    reader.take(&["table"]).then_some(())?;
    reader.take(&["if", "exists"]);
    reader.take(&["only"]);
    let table = reader.relation()?;
    reader.take_sign("*");
    let changes = alter::changes(reader.rest());
    Some(Act::AlterTable { table, changes })
}

fn drop_statement(reader: &mut Reader<'_, '_>) -> Option<Act> {
    let table = reader.take(&["table"]);
    if table || reader.take(&["materialized", "view"]) {
        reader.take(&["if", "exists"]);
        return Some(Act::DropTable(reader.relations()));
    }
    if reader.take(&["index"]) {
        let manner = manner(reader);
        reader.take(&["if", "exists"]);
        let indexes = reader.relations();
        return Some(Act::DropIndex { indexes, manner });
    }
    if reader.take(&["trigger"]) {
        reader.take(&["if", "exists"]);
        reader.identifier()?;
        return after(reader, "on").map(Act::DropTrigger);
    }
    let many = [&["schema"][..], &["owned"], &["database"]];
    many.iter().any(|what| reader.take(what)).then_some(Act::DropMany)
}

fn reindex(reader: &mut Reader<'_, '_>) -> Option<Act> {
    let mut parenthesised = Manner::AtOnce;
    if reader.take_sign("(") {
        while let Some(word) = reader.peek() {
            if word.is("concurrently") {
                parenthesised = Manner::Concurrently;
            }
            reader.skip();
            if word.is_sign(")") {
                break;
            }
        }
    }
    let known = reader.take(&["index"]) || reader.take(&["table"]);
    known.then_some(())?;
    let manner = match manner(reader) {
        Manner::Concurrently => Manner::Concurrently,
        Manner::AtOnce => parenthesised,
    };
    let target = reader.relation()?;
    Some(Act::Reindex { target, manner })
}

fn refresh(reader: &mut Reader<'_, '_>) -> Option<Act> {
    reader.take(&["materialized", "view"]).then_some(())?;
    let manner = manner(reader);
    let view = reader.relation()?;
    Some(Act::Refresh { view, manner })
}

fn maintain(verb: &str, reader: &mut Reader<'_, '_>) -> Act {
    let mut full = false;
    if reader.take_sign("(") {
        while let Some(word) = reader.peek() {
            full |= word.is("full");
            reader.skip();
            if word.is_sign(")") {
                break;
            }
        }
    }
    for noise in ["full", "freeze", "verbose", "analyze"] {
        full |= reader.take(&[noise]) && noise == "full";
    }
    Act::Maintain {
        vacuum: verb == "vacuum",
        full,
        tables: reader.relations(),
    }
}

fn set(reader: &mut Reader<'_, '_>) -> Option<Act> {
    // `set constraints … deferred` is about the transaction around it and ends with it.
    if reader.take(&["constraints"]) {
        return None;
    }
    for scope in ["local", "session"] {
        reader.take(&[scope]);
    }
    reader.identifier().map(Act::Set)
}

fn manner(reader: &mut Reader<'_, '_>) -> Manner {
    if reader.take(&["concurrently"]) {
        Manner::Concurrently
    } else {
        Manner::AtOnce
    }
}

fn after(reader: &mut Reader<'_, '_>, keyword: &str) -> Option<Relation> {
    while let Some(word) = reader.peek() {
        reader.skip();
        if word.is(keyword) {
            return reader.relation();
        }
    }
    None
}

/// `with … update`: what is written to is found by its verb outside the parentheses, or else the first within.
fn with(words: &[Word<'_>], offset: usize) -> Option<Act> {
    let verbs = ["update", "delete", "select", "insert"];
    let (main, verb) = outside(words).find(|(_, word)| verbs.iter().any(|verb| word.is(verb)))?;
    let (at, verb) = if verb.is("update") || verb.is("delete") {
        (main, verb)
    } else {
        // `with gone as (delete …) select …` writes too.
        let inner = words.iter().enumerate().skip(1).find(|(at, word)| {
            let opened = words.get(at - 1).is_some_and(|before| before.is_sign("("));
            opened && (word.is("update") || word.is("delete"))
        });
        let Some(inner) = inner else {
            return Some(Act::Rows);
        };
        inner
    };
    let rest = words.get(at..)?;
    let mut reader = Reader::new(rest);
    reader.skip();
    let updates = verb.is("update");
    if !updates {
        reader.take(&["from"]);
    }
    let joining = if updates { "from" } else { "using" };
    let write = write(&mut reader, rest, offset, &[joining])?;
    let write = Write { joins: true, ..write };
    Some(if updates {
        Act::Update(write)
    } else {
        Act::Delete(write)
    })
}

fn write(reader: &mut Reader<'_, '_>, words: &[Word<'_>], offset: usize, joining: &[&str]) -> Option<Write> {
    reader.take(&["only"]);
    let table = reader.relation()?;
    reader.take_sign("*");
    let named = reader.take(&["as"]);
    let keyword = |word: &Word<'_>| {
        ["set", "where", "using", "returning"]
            .iter()
            .any(|known| word.is(known))
    };
    let alias = match reader.peek() {
        Some(word) if named || !keyword(word) => word.identifier(),
        Some(_) | None => None,
    };
    let place = |keywords: &[&str]| {
        outside(words)
            .find(|(_, word)| keywords.iter().any(|keyword| word.is(keyword)))
            .map(|(_, word)| *word)
    };
    let last = words.last().map_or(offset, Word::end);
    let end = place(&["returning"]).map_or(last, |word| word.start) - offset;
    let condition = place(&["where"]);
    Some(Write {
        alias: alias.unwrap_or_else(|| table.name().to_owned()),
        table,
        tail: condition.map_or(end, |word| word.start - offset),
        condition: condition.map(|word| word.end() - offset..end),
        end,
        joins: outside(words)
            .skip(1)
            .filter(|(at, _)| *at > 1)
            .any(|(_, word)| joining.iter().any(|keyword| word.is(keyword))),
    })
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;

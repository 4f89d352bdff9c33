//! Reads what a statement does from its head, not from its expressions.

use super::{Act, Manner, Write};
use crate::{
    alter,
    body::{self, Depth},
    relation::Relation,
    words::{Kind, Reader, Word, outside},
};

/// `words` are those of the statement, whose text begins at `offset`.
pub(super) fn act(text: &str, words: &[Word<'_>], offset: usize, depth: Depth) -> Act {
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
    let asked = parenthesised(reader, "concurrently");
    let known = reader.take(&["index"]) || reader.take(&["table"]);
    known.then_some(())?;
    let manner = match manner(reader) {
        Manner::AtOnce if asked => Manner::Concurrently,
        manner @ (Manner::AtOnce | Manner::Concurrently) => manner,
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
    let mut full = parenthesised(reader, "full");
    for noise in ["full", "freeze", "verbose", "analyze"] {
        full |= reader.take(&[noise]) && noise == "full";
    }
    Act::Maintain {
        vacuum: verb == "vacuum",
        full,
        tables: reader.relations(),
    }
}

/// Whether this is among the options in parentheses, behind which the reader stands then.
fn parenthesised(reader: &mut Reader<'_, '_>, option: &str) -> bool {
    let mut found = false;
    if reader.take_sign("(") {
        while let Some(word) = reader.peek() {
            found |= word.is(option);
            reader.skip();
            if word.is_sign(")") {
                break;
            }
        }
    }
    found
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

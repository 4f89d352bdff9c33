//! What stands inside a `do` block, a function or a procedure, as far as it can be read before it runs.
//!
//! Reads PL/pgSQL and SQL between dollar quotes, the way people write them. Whatever cannot be read (statements put together
//! at run time, another language, a body within a body) is named, so that somebody can object to it. Pure.

use crate::{
    relation::Relation,
    statement::Statement,
    words::{self, Kind, Reader, Word, line, outside},
};

/// What stands inside.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Body {
    /// Its SQL statements, with those of every branch and loop.
    pub statements: Vec<Statement>,
    /// What cannot be read.
    pub hidden: Option<Hidden>,
}

/// The first thing in a body that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hidden {
    /// Its line in the file.
    pub line: usize,
    /// What it is.
    pub why: Why,
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// `execute` of a text that is put together at run time.
    Execute,
    /// A language other than SQL and PL/pgSQL.
    Language(String),
    /// A body in quotes with escapes in it.
    Quotes,
    /// A body within a body.
    Nested,
}

/// A function or a procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Routine {
    /// Its name.
    pub name: Relation,
    /// Its parameters as they are written, which tell it from others of its name.
    pub parameters: String,
    /// What it does.
    pub body: Body,
}

/// How deep a statement stands: bodies are read in files only, so that no text makes this crate go deeper and deeper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    File,
    Body,
}

/// `do …`.
pub(crate) fn block(text: &str, words: &[Word<'_>], depth: Depth) -> Body {
    let language = language(words).unwrap_or_else(|| "plpgsql".to_owned());
    let quoted = words
        .iter()
        .find(|word| is_text(word) && !follows(words, word, "language"));
    match quoted {
        Some(quoted) => body(text, &language, quoted, depth),
        None => Body::default(),
    }
}

/// `create function …` and `create procedure …`, from the name on.
pub(crate) fn routine(text: &str, reader: &mut Reader<'_, '_>, depth: Depth) -> Option<Routine> {
    let name = reader.relation()?;
    let words = reader.rest();
    let body = if let Some(atomic) = after(words, "atomic") {
        Body {
            statements: inside(text, atomic),
            hidden: None,
        }
    } else {
        let language = language(words).unwrap_or_else(|| "sql".to_owned());
        match after(words, "as").and_then(<[Word<'_>]>::first) {
            Some(quoted) => body(text, &language, quoted, depth),
            // `return EXPRESSION`.
            None => Body::default(),
        }
    };
    Some(Routine {
        name,
        parameters: parameters(words),
        body,
    })
}

fn language(words: &[Word<'_>]) -> Option<String> {
    let name = after(words, "language")?.first()?;
    Some(
        name.identifier()
            .unwrap_or_else(|| name.text.trim_matches('\'').to_lowercase()),
    )
}

/// The words behind a keyword outside any parentheses.
fn after<'w, 's>(words: &'w [Word<'s>], keyword: &str) -> Option<&'w [Word<'s>]> {
    let (at, _) = outside(words).find(|(_, word)| word.is(keyword))?;
    words.get(at + 1..)
}

fn follows(words: &[Word<'_>], word: &Word<'_>, keyword: &str) -> bool {
    words
        .windows(2)
        .any(|pair| matches!(pair, [before, this] if this.start == word.start && before.is(keyword)))
}

fn is_text(word: &Word<'_>) -> bool {
    word.kind == Kind::Constant && (word.text.starts_with('$') || word.text.ends_with('\''))
}

fn parameters(words: &[Word<'_>]) -> String {
    let mut depth = 0usize;
    let mut found = Vec::new();
    for word in words {
        depth += usize::from(word.is_sign("("));
        found.push(word.identifier().unwrap_or_else(|| word.text.to_owned()));
        if word.is_sign(")") {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                break;
            }
        }
    }
    found.join(" ")
}

fn body(text: &str, language: &str, quoted: &Word<'_>, depth: Depth) -> Body {
    let at = line(text, quoted.start);
    let closed = |why| Body {
        statements: Vec::new(),
        hidden: Some(Hidden { line: at, why }),
    };
    if depth == Depth::Body {
        return closed(Why::Nested);
    }
    if !["plpgsql", "sql"].contains(&language) {
        return closed(Why::Language(language.to_owned()));
    }
    let Some((inner, offset)) = unquoted(quoted) else {
        return closed(Why::Quotes);
    };
    let cut = words::cut(inner);
    if cut.unterminated.is_some() {
        return closed(Why::Quotes);
    }
    let words: Vec<Word<'_>> = cut
        .words
        .into_iter()
        .map(|word| Word {
            start: word.start + offset,
            ..word
        })
        .collect();
    if language == "sql" {
        return Body {
            statements: inside(text, &words),
            hidden: None,
        };
    }
    plpgsql(text, &words)
}

/// The text between the quotes and where it begins; none where it is not what stands in the file.
fn unquoted<'s>(word: &Word<'s>) -> Option<(&'s str, usize)> {
    let marks = if word.text.starts_with('$') {
        word.text.get(1..)?.find('$')? + 2
    } else if word.text.starts_with('\'') {
        1
    } else {
        return None;
    };
    let inner = word.text.get(marks..word.text.len().checked_sub(marks)?)?;
    let escaped = marks == 1 && inner.contains('\'');
    (!escaped).then_some((inner, word.start + marks))
}

fn inside(text: &str, words: &[Word<'_>]) -> Vec<Statement> {
    words::statements(words)
        .into_iter()
        .map(|words| Statement::read(text, words, Depth::Body))
        .collect()
}

/// Words that begin an SQL statement in PL/pgSQL. `execute` is none: there it runs a text.
const VERBS: [&str; 24] = [
    "alter", "analyze", "call", "cluster", "comment", "create", "delete", "do", "drop", "grant", "insert", "lock",
    "merge", "perform", "refresh", "reindex", "reset", "revoke", "select", "set", "truncate", "update", "vacuum",
    "with",
];

/// After these an SQL statement can begin. `for … in update … returning … loop` and `return query delete …` are two of them.
const BEFORE: [&str; 6] = ["begin", "then", "else", "loop", "in", "query"];

fn plpgsql(text: &str, words: &[Word<'_>]) -> Body {
    let mut body = Body::default();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let before = at.checked_sub(1).and_then(|before| words.get(before));
        let first = before.is_none_or(|before| {
            before.is_sign(";") || before.is_sign(">") || BEFORE.iter().any(|keyword| before.is(keyword))
        });
        let rest = words.get(at..).unwrap_or_default();
        if word.is("declare") && first {
            at += rest.iter().position(|word| word.is("begin")).unwrap_or(rest.len());
        } else if word.is("execute") {
            body.hidden.get_or_insert(Hidden {
                line: line(text, word.start),
                why: Why::Execute,
            });
            at += 1;
        } else if first && VERBS.iter().any(|verb| word.is(verb)) {
            let statement = statement(rest, before);
            body.statements.push(Statement::read(text, statement, Depth::Body));
            at += statement.len().max(1);
        } else {
            at += 1;
        }
    }
    body
}

fn statement<'w, 's>(rest: &'w [Word<'s>], before: Option<&Word<'_>>) -> &'w [Word<'s>] {
    let whole = words::first_statement(rest);
    let looped = before.is_some_and(|before| before.is("in"));
    let end = outside(whole).find(|(_, word)| looped && word.is("loop"));
    end.and_then(|(at, _)| whole.get(..at)).unwrap_or(whole)
}

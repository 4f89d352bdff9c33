//! What a file runs: its own statements, those in its `do` blocks, and those in the routines that it calls. Pure.
//!
//! Routines are known by the files that create them, here and before. A function that no file creates is taken for one of
//! PostgreSQL's own or of an extension, a procedure is not: PostgreSQL brings none.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    body::{Body, Hidden, Routine, Why},
    script::Script,
    statement::{Act, Statement},
    words::cut,
};

/// Everything that a file runs, as far as it can be read.
#[derive(Debug, Default)]
pub(crate) struct Reach<'s> {
    pub(crate) statements: Vec<Reached<'s>>,
    pub(crate) unseen: Vec<Unseen>,
}

/// A statement, and by way of what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached<'s> {
    /// Where it stands, or the call that leads to it.
    pub(crate) line: usize,
    /// The routine in which it stands.
    pub(crate) within: Option<&'s str>,
    pub(crate) statement: &'s Statement,
}

/// Something that cannot be read.
#[derive(Debug)]
pub(crate) struct Unseen {
    pub(crate) line: usize,
    pub(crate) what: String,
}

/// Follows a file, with the files before it.
pub(crate) fn reach<'s>(script: &'s Script, earlier: impl Iterator<Item = &'s Script>) -> Reach<'s> {
    let known = Routines::of(earlier.chain([script]));
    let mut reach = Reach::default();
    let mut entered = BTreeSet::new();
    let mut ahead: Vec<Reached<'s>> = script.statements.iter().rev().map(own).collect();
    // A stack of our own: routines may call each other as deep as files are long.
    while let Some(at) = ahead.pop() {
        reach.statements.push(at);
        if let Act::Do(body) = &at.statement.act {
            reach.unseen.extend(unseen(body, at));
            ahead.extend(body.statements.iter().rev().map(|statement| Reached {
                line: at.within.map_or(statement.line, |_| at.line),
                within: at.within,
                statement,
            }));
        }
        if let Act::Routine(routine) = &at.statement.act {
            reach.unseen.extend(unseen(&routine.body, at));
        }
        for called in calls(at.statement) {
            let routines = known.named(&called);
            if routines.is_empty() && matches!(at.statement.act, Act::Call(_)) {
                reach.unseen.push(Unseen {
                    line: at.line,
                    what: format!("what the procedure {called} does is not in these files"),
                });
            }
            for routine in routines {
                if !entered.insert((routine.name.name(), routine.parameters.as_str())) {
                    continue;
                }
                let within = Reached {
                    within: Some(routine.name.name()),
                    ..at
                };
                reach.unseen.extend(unseen(&routine.body, within));
                let inner = routine.body.statements.iter().rev();
                ahead.extend(inner.map(|statement| Reached { statement, ..within }));
            }
        }
    }
    reach
}

fn own(statement: &Statement) -> Reached<'_> {
    Reached {
        line: statement.line,
        within: None,
        statement,
    }
}

fn unseen(body: &Body, at: Reached<'_>) -> Option<Unseen> {
    let Hidden { line, why } = body.hidden.as_ref()?;
    let what = match why {
        Why::Execute => "what EXECUTE runs".to_owned(),
        Why::Language(language) => format!("what is written in {language}"),
        Why::Quotes => "what stands in quotes with escapes in them".to_owned(),
        Why::Nested => "what stands in a body within a body".to_owned(),
    };
    Some(Unseen {
        line: at.within.map_or(*line, |_| at.line),
        what: format!("{what} cannot be seen before it runs{}", place(at.within)),
    })
}

/// The end of a sentence about something in a routine.
pub(crate) fn place(within: Option<&str>) -> String {
    within.map_or_else(String::new, |routine| format!(" (in {routine}, which is called here)"))
}

struct Routines<'s>(BTreeMap<&'s str, BTreeMap<&'s str, &'s Routine>>);

impl<'s> Routines<'s> {
    /// A later definition replaces an earlier one with the same parameters.
    fn of(scripts: impl Iterator<Item = &'s Script>) -> Self {
        let mut found: BTreeMap<&str, BTreeMap<&str, &Routine>> = BTreeMap::new();
        for statement in scripts.flat_map(|script| &script.statements) {
            if let Act::Routine(routine) = &statement.act {
                let named = found.entry(routine.name.name()).or_default();
                named.insert(&routine.parameters, routine);
            }
        }
        Self(found)
    }

    fn named(&self, name: &str) -> Vec<&'s Routine> {
        self.0
            .get(name)
            .into_iter()
            .flat_map(|named| named.values().copied())
            .collect()
    }
}

/// Names before an opening parenthesis, in statements that run expressions. Most are no routine of anybody's.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the others name routines without running them, or none"
)]
fn calls(statement: &Statement) -> BTreeSet<String> {
    match &statement.act {
        Act::Call(procedure) => BTreeSet::from([procedure.name().to_owned()]),
        Act::Rows
        | Act::Update(_)
        | Act::Delete(_)
        | Act::CreateTable { .. }
        | Act::AlterTable { .. }
        | Act::CreateIndex { .. } => {
            let cut = cut(&statement.text);
            let pairs = cut.words.windows(2).filter_map(|pair| match pair {
                [name, open] if open.is_sign("(") => name.identifier(),
                _ => None,
            });
            pairs.collect()
        }
        _ => BTreeSet::new(),
    }
}

//! The parts of `alter table`, with what each does while it holds the table.
//!
//! Source: PostgreSQL manual, "ALTER TABLE", notes and the description of each form. Where this cannot know (a function
//! it has never heard of, a change of type) it assumes the worse. Pure.

use crate::{
    lock::LockMode,
    relation::Relation,
    statement::{Effect, Work},
    words::{Kind, Reader, Word, by_commas},
};

/// One part of an `alter table`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// `add column`.
    AddColumn {
        /// Its name.
        column: String,
        /// What filling it takes.
        work: Work,
        /// The table an inline `references` names.
        references: Option<Relation>,
    },
    /// `add constraint`.
    AddConstraint {
        /// Its name, where one is given.
        name: Option<String>,
        /// What it checks.
        constraint: Constraint,
    },
    /// `validate constraint`.
    Validate(String),
    /// `drop column`.
    DropColumn(String),
    /// `drop constraint`.
    DropConstraint(String),
    /// `alter column … set not null`.
    SetNotNull(String),
    /// `alter column … type`.
    SetType(String),
    /// `rename`, of the table, a column or a constraint.
    Rename,
    /// `detach partition … concurrently`.
    DetachConcurrently,
    /// Only planner and storage settings.
    Tune,
    /// Another change of the catalogue.
    Other,
}

/// What a constraint checks, and whether it does at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// `check`; `not null on` is the column when it says just `(column is not null)`.
    Check {
        /// Whether existing rows are left for `validate`.
        valid: Validity,
        /// The column it proves to be set.
        proves: Option<String>,
    },
    /// `foreign key`.
    ForeignKey {
        /// Whether existing rows are left for `validate`.
        valid: Validity,
        /// The table it points to.
        to: Option<Relation>,
    },
    /// `unique`, `primary key` or `exclude`, with an index that is built on the spot.
    Index,
    /// `unique using index` or `primary key using index`.
    UsingIndex,
}

/// Whether a constraint looks at the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// At once.
    Checked,
    /// `not valid`: later.
    NotYet,
}

impl Change {
    pub(crate) fn effects(&self, table: &Relation) -> Vec<Effect> {
        use LockMode::{AccessExclusive, ShareRowExclusive, ShareUpdateExclusive};
        let on_table = |mode, work| vec![Effect::new(table, mode, work)];
        match self {
            Self::AddColumn { work, references, .. } => {
                let mut effects = on_table(AccessExclusive, *work);
                effects.extend(
                    references
                        .iter()
                        .map(|to| Effect::new(to, ShareRowExclusive, Work::Catalog)),
                );
                effects
            }
            Self::AddConstraint { constraint, .. } => match constraint {
                Constraint::Check { valid, .. } => on_table(AccessExclusive, valid.work()),
                Constraint::ForeignKey { valid, to } => {
                    let mut effects = on_table(ShareRowExclusive, valid.work());
                    effects.extend(to.iter().map(|to| Effect::new(to, ShareRowExclusive, valid.work())));
                    effects
                }
                Constraint::Index => on_table(AccessExclusive, Work::Scan),
                Constraint::UsingIndex => on_table(AccessExclusive, Work::Catalog),
            },
            Self::Validate(_) => on_table(ShareUpdateExclusive, Work::Scan),
            Self::SetNotNull(_) => on_table(AccessExclusive, Work::Scan),
            Self::SetType(_) => on_table(AccessExclusive, Work::Rewrite),
            Self::Tune | Self::DetachConcurrently => on_table(ShareUpdateExclusive, Work::Catalog),
            Self::DropColumn(_) | Self::DropConstraint(_) | Self::Rename | Self::Other => {
                on_table(AccessExclusive, Work::Catalog)
            }
        }
    }
}

impl Validity {
    fn work(self) -> Work {
        match self {
            Self::Checked => Work::Scan,
            Self::NotYet => Work::Catalog,
        }
    }
}

pub(crate) fn changes(words: &[Word<'_>]) -> Vec<Change> {
    by_commas(words).into_iter().map(change).collect()
}

fn change(words: &[Word<'_>]) -> Change {
    let mut reader = Reader::new(words);
    known(&mut reader, words).unwrap_or(Change::Other)
}

fn known(reader: &mut Reader<'_, '_>, words: &[Word<'_>]) -> Option<Change> {
    if reader.take(&["validate", "constraint"]) {
        return reader.identifier().map(Change::Validate);
    }
    if reader.take(&["rename"]) {
        return Some(Change::Rename);
    }
    if reader.take(&["detach", "partition"]) {
        return words
            .iter()
            .any(|word| word.is("concurrently"))
            .then_some(Change::DetachConcurrently);
    }
    if reader.take(&["drop", "constraint"]) {
        reader.take(&["if", "exists"]);
        return reader.identifier().map(Change::DropConstraint);
    }
    if reader.take(&["drop"]) {
        reader.take(&["column"]);
        reader.take(&["if", "exists"]);
        return reader.identifier().map(Change::DropColumn);
    }
    if reader.take(&["alter"]) {
        reader.take(&["column"]);
        return alter_column(reader);
    }
    if reader.take(&["add"]) {
        return constraint(reader).or_else(|| add_column(reader));
    }
    None
}

fn alter_column(reader: &mut Reader<'_, '_>) -> Option<Change> {
    let column = reader.identifier()?;
    if reader.take(&["set", "not", "null"]) {
        return Some(Change::SetNotNull(column));
    }
    if reader.take(&["type"]) || reader.take(&["set", "data", "type"]) {
        return Some(Change::SetType(column));
    }
    let tuned = reader.take(&["set", "statistics"]) || (reader.take(&["set"]) && reader.take_sign("("));
    tuned.then_some(Change::Tune)
}

fn constraint(reader: &mut Reader<'_, '_>) -> Option<Change> {
    let name = if reader.take(&["constraint"]) {
        Some(reader.identifier()?)
    } else {
        None
    };
    let words = reader.rest();
    let says = |keywords: &[&str]| {
        words
            .windows(keywords.len())
            .any(|window| window.iter().zip(keywords).all(|(word, keyword)| word.is(keyword)))
    };
    let valid = if says(&["not", "valid"]) {
        Validity::NotYet
    } else {
        Validity::Checked
    };
    let constraint = if reader.take(&["check"]) {
        let proves = proven(reader.rest());
        Constraint::Check { valid, proves }
    } else if reader.take(&["foreign", "key"]) {
        Constraint::ForeignKey {
            valid,
            to: referenced(words),
        }
    } else if reader.take(&["unique"]) || reader.take(&["primary", "key"]) || reader.take(&["exclude"]) {
        if says(&["using", "index"]) && !says(&["using", "index", "tablespace"]) {
            Constraint::UsingIndex
        } else {
            Constraint::Index
        }
    } else {
        return None;
    };
    Some(Change::AddConstraint { name, constraint })
}

/// The column in `(column is not null)`, with any number of parentheses around.
fn proven(words: &[Word<'_>]) -> Option<String> {
    let bare: Vec<&Word<'_>> = words
        .iter()
        .filter(|word| !word.is_sign("(") && !word.is_sign(")"))
        .collect();
    let [column, is, not, null, rest @ ..] = bare.as_slice() else {
        return None;
    };
    let ends = rest.is_empty() || rest.first().is_some_and(|word| word.is("not") || word.is("no"));
    (is.is("is") && not.is("not") && null.is("null") && ends).then(|| column.identifier())?
}

fn referenced(words: &[Word<'_>]) -> Option<Relation> {
    let at = words.iter().position(|word| word.is("references"))?;
    Reader::new(words.get(at + 1..)?).relation()
}

/// Every table that a `references` names.
pub(crate) fn all_referenced(words: &[Word<'_>]) -> Vec<Relation> {
    let mut found = Vec::new();
    let mut rest = words;
    while let Some(at) = rest.iter().position(|word| word.is("references")) {
        rest = rest.get(at + 1..).unwrap_or_default();
        found.extend(Reader::new(rest).relation());
    }
    found
}

fn add_column(reader: &mut Reader<'_, '_>) -> Option<Change> {
    reader.take(&["column"]);
    reader.take(&["if", "not", "exists"]);
    let column = reader.identifier()?;
    let definition = reader.rest();
    let references = referenced(definition);
    let work = filling(definition);
    let work = match references {
        Some(_) if work == Work::Catalog && definition.iter().any(|word| word.is("default")) => Work::Scan,
        Some(_) | None => work,
    };
    Some(Change::AddColumn {
        column,
        work,
        references,
    })
}

/// A column whose value differs from row to row has to be written into every row.
fn filling(definition: &[Word<'_>]) -> Work {
    let serial = ["serial", "bigserial", "smallserial", "serial4", "serial8", "serial2"];
    let counted = definition
        .first()
        .is_some_and(|word| serial.iter().any(|name| word.is(name)));
    if counted || definition.iter().any(|word| word.is("generated")) {
        return Work::Rewrite;
    }
    let Some(at) = definition.iter().position(|word| word.is("default")) else {
        return if definition
            .iter()
            .any(|word| word.is("check") || word.is("unique") || word.is("primary"))
        {
            Work::Scan
        } else {
            Work::Catalog
        };
    };
    let expression = definition.get(at + 1..).unwrap_or_default();
    let calls_something_volatile = expression.windows(2).any(|pair| match pair {
        [name, open] => open.is_sign("(") && matches!(name.kind, Kind::Bare | Kind::Quoted) && !steady(name),
        _ => false,
    });
    if calls_something_volatile {
        Work::Rewrite
    } else {
        Work::Catalog
    }
}

/// What stands before a parenthesis in a default and gives every row the same value: functions that are not volatile,
/// types with a length, and words of the column's definition.
fn steady(name: &Word<'_>) -> bool {
    const NAMES: [&str; 28] = [
        "now",
        "transaction_timestamp",
        "statement_timestamp",
        "current_timestamp",
        "localtimestamp",
        "current_time",
        "date_trunc",
        "to_timestamp",
        "make_interval",
        "lower",
        "upper",
        "concat",
        "coalesce",
        "to_jsonb",
        "jsonb_build_object",
        "jsonb_build_array",
        "json_build_object",
        "cast",
        "array",
        "row",
        "varchar",
        "char",
        "character",
        "numeric",
        "decimal",
        "bit",
        "check",
        "and",
    ];
    NAMES.iter().any(|steady| name.is(steady))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use crate::statement;

    fn check(change: &str, expected: &Expect) {
        statement::tests::check(&format!("alter table t {change}"), expected);
    }

    #[test]
    fn a_column_is_free_unless_each_row_gets_its_own_value() {
        check("add column a text", &expect!["t ACCESS EXCLUSIVE Catalog"]);
        check(
            "add a text not null default 'x'",
            &expect!["t ACCESS EXCLUSIVE Catalog"],
        );
        check(
            "add a timestamptz default now()",
            &expect!["t ACCESS EXCLUSIVE Catalog"],
        );
        check(
            "add a numeric(10, 2) default 1.5",
            &expect!["t ACCESS EXCLUSIVE Catalog"],
        );
        check(
            "add a uuid default gen_random_uuid()",
            &expect!["t ACCESS EXCLUSIVE Rewrite"],
        );
        check("add a bigserial", &expect!["t ACCESS EXCLUSIVE Rewrite"]);
        check(
            "add a int generated always as (b + 1) stored",
            &expect!["t ACCESS EXCLUSIVE Rewrite"],
        );
        check("add a int default mine()", &expect!["t ACCESS EXCLUSIVE Rewrite"]);
        check("add a int check (a > 0)", &expect!["t ACCESS EXCLUSIVE Scan"]);
        check(
            "add a uuid references s.other (id)",
            &expect!["t ACCESS EXCLUSIVE Catalog; s.other SHARE ROW EXCLUSIVE Catalog"],
        );
    }

    #[test]
    fn a_constraint_reads_the_table_unless_it_is_left_for_later() {
        check("add constraint c check (a > 0)", &expect!["t ACCESS EXCLUSIVE Scan"]);
        check(
            "add constraint c check (a > 0) not valid",
            &expect!["t ACCESS EXCLUSIVE Catalog"],
        );
        check(
            "add foreign key (a) references u not valid",
            &expect!["t SHARE ROW EXCLUSIVE Catalog; u SHARE ROW EXCLUSIVE Catalog"],
        );
        check("add unique (a)", &expect!["t ACCESS EXCLUSIVE Scan"]);
        check(
            "add constraint c unique using index i",
            &expect!["t ACCESS EXCLUSIVE Catalog"],
        );
        check("validate constraint c", &expect!["t SHARE UPDATE EXCLUSIVE Scan"]);
    }

    #[test]
    fn columns_change_as_the_manual_says() {
        check("alter a set not null", &expect!["t ACCESS EXCLUSIVE Scan"]);
        check("alter column a type bigint", &expect!["t ACCESS EXCLUSIVE Rewrite"]);
        check(
            "alter a set statistics 100",
            &expect!["t SHARE UPDATE EXCLUSIVE Catalog"],
        );
        check(
            "drop a, drop column if exists b",
            &expect!["t ACCESS EXCLUSIVE Catalog; t ACCESS EXCLUSIVE Catalog"],
        );
        check("set (fillfactor = 90)", &expect!["t ACCESS EXCLUSIVE Catalog"]);
    }
}

//! One file: its text without what editors and git change, its statements, and how it is run. Pure.

use sha2::{Digest, Sha256, Sha384};

use crate::{
    alter::{Change, Constraint, Validity},
    body::Depth,
    fault::{Fault, Problem},
    header::{self, Header, Surroundings, Waiver},
    phase::Phase,
    relation::Relation,
    statement::{Act, Manner, Statement, Write},
    words::{self, line},
};

/// A file that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub file: String,
    /// Its text with `\n` at the end of lines and no byte-order mark.
    pub text: String,
    /// What it holds.
    pub statements: Vec<Statement>,
    /// Rules it is let off.
    pub waivers: Vec<Waiver>,
    /// How it is run.
    pub way: Way,
}

/// How a script is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// All of it in one transaction.
    Transaction,
    /// Its one statement by itself, because PostgreSQL gives it transactions of its own.
    Alone(Alone),
    /// Its one statement on a slice of the rows at a time.
    Batches {
        /// What it writes.
        write: Write,
        /// Rows a batch, at most.
        rows: u32,
    },
}

/// A statement that runs outside a transaction, with what tells afterwards whether it took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alone {
    /// `create index concurrently`: `indisvalid` tells.
    BuildIndex {
        /// The index.
        index: Relation,
        /// Its table.
        table: Relation,
    },
    /// `drop index concurrently`: it is gone or not.
    DropIndex(Relation),
    /// `reindex … concurrently`: leftovers end in `_ccnew` or `_ccold`.
    Reindex(Relation),
    /// `validate constraint`: `convalidated` tells.
    Validate {
        /// The table.
        table: Relation,
        /// The constraint.
        constraint: String,
    },
    /// `vacuum`, `analyze`, `refresh materialized view concurrently`: doing it again changes nothing.
    Repeatable,
}

const DEFAULT_BATCH: u32 = 5_000;

impl Script {
    /// SHA-256 of the text, as the journal keeps it.
    pub(crate) fn digest(&self) -> Vec<u8> {
        Sha256::digest(&self.text).to_vec()
    }

    /// SHA-384 of the text, as sqlx keeps it.
    pub(crate) fn checksum(&self) -> Vec<u8> {
        Sha384::digest(&self.text).to_vec()
    }

    /// Whether sqlx recorded this file: with either line ending, with or without a byte-order mark.
    pub(crate) fn was_recorded_as(&self, checksum: &[u8]) -> bool {
        let windows = self.text.replace('\n', "\r\n");
        [self.text.as_str(), &windows].iter().any(|text| {
            let plain = Sha384::digest(text);
            let marked = Sha384::new_with_prefix("\u{feff}").chain_update(text).finalize();
            *checksum == *plain || *checksum == *marked
        })
    }

    /// Tables it makes itself: nobody else can be in their way.
    pub fn creates(&self) -> Vec<&Relation> {
        let blocks = self.statements.iter().flat_map(|statement| {
            let Act::Do(block) = &statement.act else {
                return [].iter();
            };
            block.statements.iter()
        });
        self.statements
            .iter()
            .chain(blocks)
            .filter_map(|statement| {
                let Act::CreateTable { table, .. } = &statement.act else {
                    return None;
                };
                Some(table)
            })
            .collect()
    }

    pub(crate) fn waives(&self, rule: &str) -> bool {
        self.waivers.iter().any(|waiver| waiver.rule == rule)
    }
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Up,
    Down,
}

/// Reads a file, or says everything that is wrong with it.
pub(crate) fn read(file: &str, raw: &str, direction: Direction) -> Result<(Script, Header), Vec<Problem>> {
    let text = raw.replace(['\r', '\u{feff}'], "");
    let cut = words::cut(&text);
    let problem = |line, fault| Problem {
        file: file.to_owned(),
        line,
        fault,
    };
    if let Some(at) = cut.unterminated {
        return Err(vec![problem(Some(line(&text, at)), Fault::Unterminated)]);
    }
    let header = header::read(&cut)
        .map_err(|faults| faults.into_iter().map(|fault| problem(None, fault)).collect::<Vec<_>>())?;
    let statements: Vec<Statement> = words::statements(&cut.words)
        .into_iter()
        .map(|words| Statement::read(&text, words, Depth::File))
        .collect();

    let mut faults = Vec::new();
    // Undoing a backfill, or a contraction that lost nothing, may be nothing at all.
    if statements.is_empty() && direction == Direction::Up {
        faults.push((None, Fault::Empty));
    }
    check_statements(&statements, header.surroundings, &mut faults);
    check_validation(&statements, &mut faults);
    let way = way(&statements, &header, direction, &mut faults);
    faults.retain(|(_, fault)| {
        fault
            .rule()
            .is_none_or(|rule| !header.waivers.iter().any(|waiver| waiver.rule == rule))
    });
    if !faults.is_empty() {
        return Err(faults.into_iter().map(|(line, fault)| problem(line, fault)).collect());
    }
    let script = Script {
        file: file.to_owned(),
        statements,
        waivers: header.waivers.clone(),
        way,
        text,
    };
    Ok((script, header))
}

type Faults = Vec<(Option<usize>, Fault)>;

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "only these acts are refused whatever the phase"
)]
fn check_statements(statements: &[Statement], surroundings: Surroundings, faults: &mut Faults) {
    for statement in statements {
        let fault = match &statement.act {
            Act::Do(_) => Some(Fault::DoBlock),
            Act::Transaction => Some(Fault::TransactionControl),
            Act::Set(name) => Some(Fault::Setting(name.clone())),
            _ if surroundings == Surroundings::Transaction && statement.stands_alone() => {
                Some(Fault::NeedsNoTransaction)
            }
            _ => None,
        };
        faults.extend(fault.map(|fault| (Some(statement.line), fault)));
    }
}

fn check_validation(statements: &[Statement], faults: &mut Faults) {
    let changes = || {
        statements.iter().flat_map(|statement| {
            let changes = if let Act::AlterTable { changes, .. } = &statement.act {
                changes.as_slice()
            } else {
                &[]
            };
            changes.iter().map(|change| (statement.line, change))
        })
    };
    let added = |wanted: &str| {
        changes().any(|(_, change)| {
            let Change::AddConstraint {
                name: Some(name),
                constraint:
                    Constraint::Check {
                        valid: Validity::NotYet,
                        ..
                    }
                    | Constraint::ForeignKey {
                        valid: Validity::NotYet,
                        ..
                    },
            } = change
            else {
                return false;
            };
            name == wanted
        })
    };
    for (line, change) in changes() {
        if let Change::Validate(name) = change
            && added(name)
        {
            faults.push((Some(line), Fault::ValidatedAtOnce(name.clone())));
        }
    }
}

fn way(statements: &[Statement], header: &Header, direction: Direction, faults: &mut Faults) -> Way {
    match (header.surroundings, header.phase, direction) {
        (Surroundings::Nothing, _, _) => match statements {
            [statement] => alone(statement)
                .map_err(|fault| faults.push((Some(statement.line), fault)))
                .map_or(Way::Transaction, Way::Alone),
            [] => Way::Transaction,
            many => {
                faults.push((many.get(1).map(|second| second.line), Fault::ManyAlone(many.len())));
                Way::Transaction
            }
        },
        (Surroundings::Transaction, Phase::Backfill, Direction::Up) => match statements {
            [
                Statement {
                    act: Act::Update(write) | Act::Delete(write),
                    ..
                },
            ] if !write.joins => Way::Batches {
                write: write.clone(),
                rows: header.batch.unwrap_or(DEFAULT_BATCH),
            },
            _ => {
                faults.push((statements.first().map(|first| first.line), Fault::NoBatches));
                Way::Transaction
            }
        },
        (Surroundings::Transaction, _, _) => Way::Transaction,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "whatever leaves no trace is refused")]
fn alone(statement: &Statement) -> Result<Alone, Fault> {
    match &statement.act {
        Act::CreateIndex {
            index,
            table,
            manner: Manner::Concurrently,
        } => match index {
            Some(index) => Ok(Alone::BuildIndex {
                index: index.clone(),
                table: table.clone(),
            }),
            None => Err(Fault::NamelessIndex),
        },
        Act::DropIndex {
            indexes,
            manner: Manner::Concurrently,
        } => match indexes.as_slice() {
            [index] => Ok(Alone::DropIndex(index.clone())),
            _ => Err(Fault::Untraceable),
        },
        Act::Reindex {
            target,
            manner: Manner::Concurrently,
        } => Ok(Alone::Reindex(target.clone())),
        Act::AlterTable { table, changes } => match changes.as_slice() {
            [Change::Validate(constraint)] => Ok(Alone::Validate {
                table: table.clone(),
                constraint: constraint.clone(),
            }),
            _ => Err(Fault::Untraceable),
        },
        Act::Maintain { full: false, .. }
        | Act::Refresh {
            manner: Manner::Concurrently,
            ..
        }
        // These have a fault of their own already.
        | Act::Transaction
        | Act::Set(_)
        | Act::Do(_) => Ok(Alone::Repeatable),
        _ => Err(Fault::Untraceable),
    }
}

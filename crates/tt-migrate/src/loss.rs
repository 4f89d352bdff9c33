//! What a way back would lose, counted before anything is touched, and once more under the lock.

use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    alter::Change,
    failure::Failure,
    plan::beginning,
    relation::{Relation, quoted},
    script::Script,
    statement::{Act, Statement, Write},
};

/// Data that would be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// `table.column`, or `table.*` for whole rows.
    pub what: String,
    /// Rows in which there is something to lose.
    pub rows: i64,
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {} rows", self.what, self.rows)
    }
}

/// A loss that somebody has looked at and accepts: `table.column:count`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted(pub Loss);

/// A text that is no accepted loss.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not TABLE.COLUMN:COUNT, such as tasks.priority:120 or tasks.*:7")]
pub struct NoLoss(String);

impl FromStr for Accepted {
    type Err = NoLoss;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.rsplit_once(':').filter(|(what, _)| what.contains('.'));
        let loss = parts.and_then(|(what, rows)| {
            let rows = rows.parse().ok().filter(|rows| *rows >= 0)?;
            Some(Loss {
                what: what.to_owned(),
                rows,
            })
        });
        loss.map(Self).ok_or_else(|| NoLoss(text.to_owned()))
    }
}

/// What a statement takes along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doomed {
    pub(crate) table: Relation,
    /// None for whole rows.
    column: Option<String>,
    /// SQL that is true for the rows in question.
    condition: Option<String>,
}

impl Doomed {
    fn what(&self) -> String {
        format!("{}.{}", self.table, self.column.as_deref().unwrap_or("*"))
    }
}

/// What a script takes along, or the statement for which that cannot be told.
pub(crate) fn doomed(script: &Script) -> Result<Vec<Doomed>, Failure> {
    let mut found = Vec::new();
    for statement in &script.statements {
        found.extend(by(statement).map_err(|Untold| Failure::Uncountable {
            file: script.file.clone(),
            statement: beginning(statement),
        })?);
    }
    Ok(found)
}

struct Untold;

fn by(statement: &Statement) -> Result<Vec<Doomed>, Untold> {
    let rows = |table: &Relation| Doomed {
        table: table.clone(),
        column: None,
        condition: None,
    };
    let matching = |write: &Write| {
        if write.joins {
            Err(Untold)
        } else {
            Ok(vec![Doomed {
                table: write.table.clone(),
                column: None,
                condition: write
                    .condition
                    .clone()
                    .and_then(|range| statement.text.get(range))
                    .map(ToOwned::to_owned),
            }])
        }
    };
    match &statement.act {
        Act::DropTable(tables) | Act::Truncate(tables) => Ok(tables.iter().map(rows).collect()),
        Act::AlterTable { table, changes } => Ok(changes
            .iter()
            .filter_map(|change| match change {
                Change::DropColumn(column) | Change::SetType(column) => Some(Doomed {
                    table: table.clone(),
                    column: Some(column.clone()),
                    condition: Some(format!("{} is not null", quoted(column))),
                }),
                Change::AddColumn { .. }
                | Change::AddConstraint { .. }
                | Change::Validate(_)
                | Change::DropConstraint(_)
                | Change::SetNotNull(_)
                | Change::Rename
                | Change::DetachConcurrently
                | Change::Tune
                | Change::Other => None,
            })
            .collect()),
        Act::Update(write) | Act::Delete(write) => matching(write),
        Act::DropMany | Act::Do(_) | Act::Call(_) => Err(Untold),
        Act::CreateTable { .. }
        | Act::CreateIndex { .. }
        | Act::DropIndex { .. }
        | Act::Reindex { .. }
        | Act::Refresh { .. }
        | Act::CreateTrigger(_)
        | Act::DropTrigger(_)
        | Act::Lock(_)
        | Act::AddEnumValue { .. }
        | Act::Maintain { .. }
        | Act::Routine(_)
        | Act::Rows
        | Act::Set(_)
        | Act::Transaction
        | Act::Other => Ok(Vec::new()),
    }
}

/// Counts, exactly. What is empty or not there is no loss.
pub(crate) async fn count(connection: &mut PgConnection, doomed: &[Doomed]) -> Result<Vec<Loss>, sqlx::Error> {
    let mut losses: BTreeMap<String, i64> = BTreeMap::new();
    for doomed in doomed {
        if !is_there(connection, doomed).await? {
            continue;
        }
        let condition = doomed.condition.as_deref().unwrap_or("true");
        // Names are quoted; the condition is text of the release's own file.
        let sql = format!("select count(*) from {} where ({condition}\n)", doomed.table.quoted());
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await?;
        if rows > 0 {
            *losses.entry(doomed.what()).or_default() += rows;
        }
    }
    Ok(losses.into_iter().map(|(what, rows)| Loss { what, rows }).collect())
}

/// A view can be made again from what it shows: only tables hold data.
pub(crate) async fn is_there(connection: &mut PgConnection, doomed: &Doomed) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from pg_class where oid = to_regclass($1) and relkind in ('r', 'p')) \
         and ($2::text is null or exists (select from pg_attribute \
         where attrelid = to_regclass($1) and attname = $2 and not attisdropped))",
    )
    .bind(doomed.table.quoted())
    .bind(doomed.column.as_deref())
    .fetch_one(connection)
    .await
}

/// Every loss has to be accepted with exactly the figure that was counted.
pub(crate) fn judge(losses: &[Loss], accepted: &[Accepted]) -> Result<(), Failure> {
    let figure = |what: &str| {
        accepted
            .iter()
            .find(|accepted| accepted.0.what == what)
            .map(|accepted| accepted.0.rows)
    };
    for Accepted(accepted) in accepted {
        let counted = losses
            .iter()
            .find(|loss| loss.what == accepted.what)
            .map_or(0, |loss| loss.rows);
        if counted != accepted.rows {
            return Err(Failure::WrongCount {
                what: accepted.what.clone(),
                accepted: accepted.rows,
                counted,
            });
        }
    }
    let unaccepted = losses.iter().filter(|loss| figure(&loss.what).is_none());
    let unaccepted: Vec<Loss> = unaccepted.cloned().collect();
    if unaccepted.is_empty() {
        Ok(())
    } else {
        Err(Failure::DataLoss(unaccepted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_loss_names_a_column_and_a_count() {
        let accepted: Accepted = "s.tasks.priority:12".parse().unwrap();
        assert_eq!((accepted.0.what.as_str(), accepted.0.rows), ("s.tasks.priority", 12));
        for text in ["tasks:1", "tasks.a", "tasks.a:", "tasks.a:-1", "tasks.a:many", ""] {
            assert!(text.parse::<Accepted>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_the_very_figure_is_accepted() {
        let losses = [Loss {
            what: "t.a".to_owned(),
            rows: 3,
        }];
        let accept = |text: &str| judge(&losses, &[text.parse().unwrap()]);
        assert!(accept("t.a:3").is_ok());
        assert!(matches!(accept("t.a:2"), Err(Failure::WrongCount { counted: 3, .. })));
        assert!(matches!(accept("t.b:1"), Err(Failure::WrongCount { counted: 0, .. })));
        assert!(matches!(judge(&losses, &[]), Err(Failure::DataLoss(_))));
    }
}

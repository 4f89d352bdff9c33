//! An `update` or `delete` of a whole table, a slice of the primary key at a time.
//!
//! Each batch is a transaction that also remembers how far it came, so a run can be cut off anywhere and goes on there.
//! Batches shrink until their rows are locked for no longer than the limit, and pause when anybody waits for a lock.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::time::Instant;

use super::{Done, Hands, failed, pause};
use crate::{
    event::{Event, Found},
    failure::{Cause, Failure},
    journal,
    load::Migration,
    relation::quoted,
    session,
    statement::Write,
};

const SMALLEST: u32 = 50;

pub(crate) async fn up(
    hands: &mut Hands<'_>,
    migration: &Migration,
    write: &Write,
    rows: u32,
) -> Result<Done, Failure> {
    let version = migration.version;
    let broke = |error| failed(version, &migration.up, Cause::from(error));
    let key = key(hands.connection, write)
        .await
        .map_err(broke)?
        .ok_or_else(|| Failure::NoKey {
            version,
            table: write.table.to_string(),
        })?;
    let mut progress = begin(hands, migration).await?;
    let (lock, patience) = (hands.limits.lock, hands.limits.blocking);
    session::bound(hands.connection, lock, patience).await.map_err(broke)?;

    let estimate = estimate(hands.connection, write).await.map_err(broke)?;
    let mut size = rows;
    let mut tries = 0;
    let mut stall = Duration::ZERO;
    while let Some(upper) = slice(hands.connection, write, &key, progress.cursor.as_deref(), size)
        .await
        .map_err(broke)?
    {
        let statement = sliced(migration, write, &key, progress.cursor.as_deref(), &upper);
        let begun = Instant::now();
        match batch(hands.connection, migration, statement, &upper).await {
            Ok(changed) => {
                let took = begun.elapsed();
                tries = 0;
                stall = stall.max(took);
                progress.rows = progress.rows.saturating_add(i64::try_from(changed).unwrap_or(i64::MAX));
                progress.cursor = Some(upper);
                (hands.emit)(Event::Batch {
                    version,
                    rows: progress.rows,
                    of: estimate,
                    batch: size,
                    took,
                });
                size = next(size, rows, took, hands.limits.batch);
                let waiting = waiting(hands.connection).await.map_err(broke)?;
                tokio::time::sleep(breath(took, waiting)).await;
            }
            Err(cause) if cause.is_contention() || cause.is_cancelled() => {
                tries += 1;
                size = (size / 2).max(SMALLEST);
                (hands.emit)(Event::Retrying {
                    version,
                    tries,
                    reason: cause.to_string(),
                });
                pause(tries).await;
            }
            Err(cause) => {
                return Err(Failure::Batch {
                    version,
                    file: migration.up.file.clone(),
                    rows: progress.rows,
                    cause,
                });
            }
        }
    }
    journal::applied(hands.connection, migration).await.map_err(broke)?;
    Ok(Done {
        stall: Some(stall),
        tries: 1,
    })
}

struct Key {
    column: String,
    kind: String,
}

struct Progress {
    cursor: Option<String>,
    rows: i64,
}

async fn begin(hands: &mut Hands<'_>, migration: &Migration) -> Result<Progress, Failure> {
    let version = migration.version;
    let history = journal::read(hands.connection).await?;
    if let Some(entry) = history.entry(version).filter(|entry| !entry.finished) {
        (hands.emit)(Event::Resumed {
            version,
            found: Found::Halfway,
        });
        return Ok(Progress {
            cursor: entry.cursor.clone(),
            rows: entry.rows,
        });
    }
    let statement = migration.up.statements.first().map_or("", |statement| &statement.text);
    journal::begun(hands.connection, migration, "up", statement)
        .await
        .map_err(|error| failed(version, &migration.up, Cause::from(error)))?;
    Ok(Progress { cursor: None, rows: 0 })
}

/// The primary key, if it is one column: it has an index in its own order and no nulls.
async fn key(connection: &mut PgConnection, write: &Write) -> Result<Option<Key>, sqlx::Error> {
    let found: Option<(String, String)> = sqlx::query_as(
        "select attname::text, format_type(atttypid, atttypmod) from pg_index \
         join pg_attribute on attrelid = indrelid and attnum = indkey[0] \
         where indrelid = to_regclass($1) and indisprimary and indnkeyatts = 1",
    )
    .bind(write.table.quoted())
    .fetch_optional(connection)
    .await?;
    Ok(found.map(|(column, kind)| Key { column, kind }))
}

async fn estimate(connection: &mut PgConnection, write: &Write) -> Result<i64, sqlx::Error> {
    let rows: Option<i64> =
        sqlx::query_scalar("select greatest(reltuples, 0)::bigint from pg_class where oid = to_regclass($1)")
            .bind(write.table.quoted())
            .fetch_optional(connection)
            .await?;
    Ok(rows.unwrap_or_default())
}

/// The last key of the next slice; none when the table ends.
async fn slice(
    connection: &mut PgConnection,
    write: &Write,
    key: &Key,
    cursor: Option<&str>,
    size: u32,
) -> Result<Option<String>, sqlx::Error> {
    let column = quoted(&key.column);
    let above = cursor.map_or_else(String::new, |cursor| {
        format!("where {column} > {}", literal(cursor, key))
    });
    let sql = format!(
        "select key::text from (select {column} as key from {} {above} order by {column} limit {size}) slice \
         order by slice.key desc limit 1",
        write.table.quoted()
    );
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_optional(connection).await
}

/// A key that the database itself gave, as a constant of the key's type.
fn literal(value: &str, key: &Key) -> String {
    format!("'{}'::{}", value.replace('\'', "''"), key.kind)
}

/// The file's statement, on one slice of the table.
fn sliced(migration: &Migration, write: &Write, key: &Key, cursor: Option<&str>, upper: &str) -> String {
    let text = migration
        .up
        .statements
        .first()
        .map_or("", |statement| statement.text.as_str());
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let column = format!("{}.{}", quoted(&write.alias), quoted(&key.column));
    let mut slice = format!("{column} <= {}", literal(upper, key));
    if let Some(cursor) = cursor {
        slice = format!("{column} > {} and {slice}", literal(cursor, key));
    }
    // A condition may end in a comment, hence the line breaks.
    let condition = match &write.condition {
        Some(range) => format!("({}\n) and {slice}", part(range.clone())),
        None => slice,
    };
    format!(
        "{} where {condition} {}",
        part(0..write.tail),
        part(write.end..text.len())
    )
}

async fn batch(
    connection: &mut PgConnection,
    migration: &Migration,
    statement: String,
    upper: &str,
) -> Result<u64, Cause> {
    let mut transaction = connection.begin().await?;
    // Planned anew each time: the slices differ, and a cache of them would only grow.
    let changed = sqlx::query(AssertSqlSafe(statement))
        .persistent(false)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    journal::advance(&mut transaction, migration.version, upper, changed).await?;
    transaction.commit().await?;
    Ok(changed)
}

/// The next size: such that a batch takes about as long as it may, and never more than the file asks for.
fn next(size: u32, most: u32, took: Duration, wanted: Duration) -> u32 {
    let took = took.as_micros().max(1);
    let fitting = u128::from(size) * wanted.as_micros() / took;
    // At most twice as many: one quick batch says little about the next.
    let fitting = u32::try_from(fitting).unwrap_or(u32::MAX).min(size.saturating_mul(2));
    fitting.clamp(SMALLEST.min(most), most)
}

/// Others' sessions that wait for a lock at this moment.
async fn waiting(connection: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database() \
         and pid <> pg_backend_pid()",
    )
    .fetch_one(connection)
    .await
}

/// As long as the batch took, so that others have half of the time; longer when somebody is waiting.
fn breath(took: Duration, waiting: i64) -> Duration {
    let base = took.min(Duration::from_millis(200));
    match waiting {
        0 => base,
        _ => base * 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_follow_the_time_they_may_take() {
        let wanted = Duration::from_millis(40);
        for (size, took, expected) in [
            (1000, 80, 500),
            (1000, 40, 1000),
            (1000, 1, 2000),
            (4000, 10, 5000),
            (100, 9000, 50),
        ] {
            let took = Duration::from_millis(took);
            assert_eq!(next(size, 5000, took, wanted), expected, "{size} rows in {took:?}");
        }
        assert_eq!(
            next(10, 20, Duration::from_secs(1), wanted),
            20,
            "a file that asks for less than the smallest gets what it asks for"
        );
    }
}

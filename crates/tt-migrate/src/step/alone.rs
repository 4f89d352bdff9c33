//! A statement that PostgreSQL runs outside a transaction: `create index concurrently` and its like.
//!
//! Nothing rolls it back, so the journal says beforehand that it begins, and the catalogue afterwards whether it took
//! effect. Its locks keep nobody waiting, so it has a long time of its own; an INVALID leftover is dropped between tries.

use sqlx::{AssertSqlSafe, PgConnection, raw_sql};
use tokio::time::Instant;

use super::{Done, Hands, failed, left, pause};
use crate::{
    event::{Event, Found},
    failure::{Cause, Failure},
    index::{self, State},
    journal,
    load::Migration,
    phase::Version,
    script::{Alone, Script},
    session,
};

pub(crate) async fn up(hands: &mut Hands<'_>, migration: &Migration, alone: &Alone) -> Result<Done, Failure> {
    let version = migration.version;
    let script = &migration.up;
    begin(hands, migration, script, "up").await?;
    let tries = persist(hands, version, script, alone).await?;
    journal::applied(hands.connection, migration)
        .await
        .map_err(|error| failed(version, script, Cause::from(error)))?;
    Ok(Done { stall: None, tries })
}

pub(crate) async fn down(hands: &mut Hands<'_>, migration: &Migration, alone: &Alone) -> Result<Done, Failure> {
    let version = migration.version;
    let script = &migration.down;
    begin(hands, migration, script, "down").await?;
    let tries = match persist(hands, version, script, alone).await {
        Ok(tries) => tries,
        Err(failure) => {
            // Still applied: the journal goes back to saying so, unless the outcome is open.
            if failure.outage().is_none() {
                let restored = journal::finished(hands.connection, migration).await;
                restored.map_err(|error| failed(version, script, Cause::from(error)))?;
            }
            return Err(failure);
        }
    };
    journal::undone(hands.connection, version)
        .await
        .map_err(|error| failed(version, script, Cause::from(error)))?;
    Ok(Done { stall: None, tries })
}

/// Finds out what became of a step that was cut off: records it, or does it again.
pub(crate) async fn resume_up(hands: &mut Hands<'_>, migration: &Migration, alone: &Alone) -> Result<Done, Failure> {
    let version = migration.version;
    let broke = |error| failed(version, &migration.up, Cause::from(error));
    if took_effect(hands.connection, alone).await.map_err(broke)? {
        (hands.emit)(Event::Resumed {
            version,
            found: Found::Done,
        });
        journal::applied(hands.connection, migration).await.map_err(broke)?;
        return Ok(Done { stall: None, tries: 0 });
    }
    (hands.emit)(Event::Resumed {
        version,
        found: Found::Undone,
    });
    up(hands, migration, alone).await
}

/// The same for a way back.
pub(crate) async fn resume_down(hands: &mut Hands<'_>, migration: &Migration, alone: &Alone) -> Result<Done, Failure> {
    let version = migration.version;
    let broke = |error| failed(version, &migration.down, Cause::from(error));
    if took_effect(hands.connection, alone).await.map_err(broke)? {
        (hands.emit)(Event::Resumed {
            version,
            found: Found::Done,
        });
        journal::undone(hands.connection, version).await.map_err(broke)?;
        return Ok(Done { stall: None, tries: 0 });
    }
    (hands.emit)(Event::Resumed {
        version,
        found: Found::Undone,
    });
    down(hands, migration, alone).await
}

async fn begin(hands: &mut Hands<'_>, migration: &Migration, script: &Script, way: &str) -> Result<(), Failure> {
    journal::begun(hands.connection, migration, way, statement(script))
        .await
        .map_err(|error| failed(migration.version, script, Cause::from(error)))
}

fn statement(script: &Script) -> &str {
    script.statements.first().map_or("", |statement| &statement.text)
}

/// Tries until it succeeds, fails for good, or its time is over.
async fn persist(hands: &mut Hands<'_>, version: Version, script: &Script, alone: &Alone) -> Result<u32, Failure> {
    let begun = Instant::now();
    let deadline = begun + hands.limits.alone;
    let mut tries = 0;
    loop {
        clean(hands, version, script, alone).await?;
        tries += 1;
        let Err(cause) = once(hands.connection, script, alone, deadline).await else {
            return Ok(tries);
        };
        if cause.is_outage() {
            // The journal's open entry stays: whether it took effect is found out when the database is back.
            return Err(failed(version, script, cause));
        }
        let over = Instant::now() >= deadline;
        if over || !(cause.is_contention() || cause.is_cancelled()) {
            clean(hands, version, script, alone).await?;
            let forgotten = journal::forget(hands.connection, version).await;
            forgotten.map_err(|error| left_behind(version, script, error))?;
            if !over {
                return Err(failed(version, script, cause));
            }
            return Err(Failure::Locked {
                version,
                waited: begun.elapsed(),
                tries,
                holders: Vec::new(),
            });
        }
        (hands.emit)(Event::Retrying {
            version,
            tries,
            reason: cause.to_string(),
        });
        pause(tries).await;
    }
}

async fn once(connection: &mut PgConnection, script: &Script, alone: &Alone, deadline: Instant) -> Result<(), Cause> {
    session::bound(connection, left(deadline), left(deadline)).await?;
    raw_sql(AssertSqlSafe(statement(script).to_owned()))
        .execute(&mut *connection)
        .await?;
    let traceless = matches!(alone, Alone::Repeatable | Alone::Reindex(_));
    if traceless || took_effect(connection, alone).await? {
        return Ok(());
    }
    // `if not exists` met something of that name which is not it.
    let oddity = "the statement ended well and took no effect";
    Err(Cause::from(sqlx::Error::Configuration(oddity.into())))
}

/// Drops what an earlier try left INVALID.
async fn clean(hands: &mut Hands<'_>, version: Version, script: &Script, alone: &Alone) -> Result<(), Failure> {
    let broke = |error| left_behind(version, script, error);
    let leftovers = match alone {
        Alone::BuildIndex { index, .. } => match index::state(hands.connection, index).await.map_err(broke)? {
            State::Invalid => vec![index.quoted()],
            State::Absent | State::Valid => Vec::new(),
        },
        Alone::Reindex(target) => index::leftovers(hands.connection, target).await.map_err(broke)?,
        Alone::DropIndex(_) | Alone::Validate { .. } | Alone::Repeatable => Vec::new(),
    };
    if leftovers.is_empty() {
        return Ok(());
    }
    let limit = hands.limits.alone;
    session::bound(hands.connection, limit, limit).await.map_err(broke)?;
    for leftover in leftovers {
        let sql = format!("drop index concurrently if exists {leftover}");
        raw_sql(AssertSqlSafe(sql))
            .execute(&mut *hands.connection)
            .await
            .map_err(broke)?;
        (hands.emit)(Event::Cleaned {
            version,
            what: format!("the INVALID index {leftover}"),
        });
    }
    Ok(())
}

fn left_behind(version: Version, script: &Script, error: sqlx::Error) -> Failure {
    Failure::LeftBehind {
        version,
        file: script.file.clone(),
        cause: Cause::from(error),
    }
}

async fn took_effect(connection: &mut PgConnection, alone: &Alone) -> Result<bool, sqlx::Error> {
    match alone {
        Alone::BuildIndex { index, .. } => Ok(index::state(connection, index).await? == State::Valid),
        Alone::DropIndex(index) => Ok(index::state(connection, index).await? == State::Absent),
        Alone::Validate { table, constraint } => index::is_validated(connection, table, constraint).await,
        // Cut off or not, doing it again is harmless and leaves no doubt.
        Alone::Reindex(_) | Alone::Repeatable => Ok(false),
    }
}

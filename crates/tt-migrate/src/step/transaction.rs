//! A file in one transaction: look who is in the way, then try briefly, and again.

use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection, raw_sql};
use tokio::time::Instant;

use super::{Done, Hands, failed, pause};
use crate::{
    event::Event,
    failure::{Cause, Failure},
    journal,
    load::Migration,
    lock::LockMode,
    look,
    loss::{self, Accepted, Doomed},
    script::Script,
    session,
    statement::{Effect, Statement, Work},
};

pub(crate) async fn up(hands: &mut Hands<'_>, migration: &Migration) -> Result<Done, Failure> {
    let effects = effects(&migration.up);
    persist(hands, migration, &migration.up, effects, async |connection| {
        // The bookkeeping comes first: after the statements, users may be waiting.
        journal::recorded(connection, migration).await?;
        carry_out(connection, &migration.up).await?;
        session::commit(connection).await?;
        Ok(())
    })
    .await
}

pub(crate) async fn down(hands: &mut Hands<'_>, migration: &Migration, accepted: &[Accepted]) -> Result<Done, Failure> {
    let doomed = loss::doomed(&migration.down)?;
    let mut effects = effects(&migration.down);
    effects.extend(
        doomed
            .iter()
            .map(|doomed| Effect::new(&doomed.table, LockMode::AccessExclusive, Work::Scan)),
    );
    persist(hands, migration, &migration.down, effects, async |connection| {
        recount(connection, &doomed, accepted).await?;
        journal::undone(connection, migration.version).await?;
        carry_out(connection, &migration.down).await?;
        session::commit(connection).await?;
        Ok(())
    })
    .await
}

/// The whole file in one message: PostgreSQL runs its statements in the transaction around them.
async fn carry_out(connection: &mut PgConnection, script: &Script) -> Result<(), sqlx::Error> {
    raw_sql(AssertSqlSafe(script.text.clone()))
        .execute(connection)
        .await
        .map(drop)
}

/// Under the lock, so that nothing is lost which came after the first count.
async fn recount(connection: &mut PgConnection, doomed: &[Doomed], accepted: &[Accepted]) -> Result<(), Obstacle> {
    for doomed in doomed {
        if loss::is_there(connection, doomed).await? {
            let sql = format!("lock table {} in access exclusive mode", doomed.table.quoted());
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *connection).await?;
        }
    }
    let losses = loss::count(connection, doomed).await?;
    // What other steps of the same run lose is accepted beside it.
    let relevant: Vec<Accepted> = accepted
        .iter()
        .filter(|accepted| losses.iter().any(|loss| loss.what == accepted.0.what))
        .cloned()
        .collect();
    loss::judge(&losses, &relevant).map_err(Obstacle::Refused)
}

/// Why a try did not succeed.
enum Obstacle {
    Said(Cause),
    Refused(Failure),
}

impl From<sqlx::Error> for Obstacle {
    fn from(error: sqlx::Error) -> Self {
        Self::Said(Cause::from(error))
    }
}

/// Locks on relations that somebody else can use: what a file makes itself is its own until it commits.
fn effects(script: &Script) -> Vec<Effect> {
    let creates = script.creates();
    script
        .statements
        .iter()
        .flat_map(Statement::effects)
        .filter(|effect| !creates.contains(&&effect.relation))
        .collect()
}

async fn persist(
    hands: &mut Hands<'_>,
    migration: &Migration,
    script: &Script,
    effects: Vec<Effect>,
    once: impl AsyncFn(&mut PgConnection) -> Result<(), Obstacle>,
) -> Result<Done, Failure> {
    let version = migration.version;
    let begun = Instant::now();
    let deadline = begun + hands.limits.patience;
    let blocking = effects.iter().any(|effect| effect.mode.blocks_writes());
    let unseen = script.statements.iter().any(Statement::may_lock_unseen);
    let limit = if blocking || unseen {
        hands.limits.blocking
    } else {
        hands.limits.alone
    };

    let mut tries = 0;
    let mut stall = Duration::ZERO;
    loop {
        clear(hands, migration, &effects, deadline, tries, begun).await?;
        tries += 1;
        let asked = Instant::now();
        let outcome = match session::begin(hands.connection, hands.limits.lock, limit).await {
            Ok(()) => once(hands.connection).await,
            Err(error) => Err(Obstacle::from(error)),
        };
        if outcome.is_err() {
            session::roll_back(hands.connection).await;
        }
        stall = stall.max(asked.elapsed());
        let cause = match outcome {
            Ok(()) => {
                return Ok(Done {
                    stall: blocking.then_some(stall),
                    tries,
                });
            }
            Err(Obstacle::Refused(failure)) => return Err(failure),
            Err(Obstacle::Said(cause)) => cause,
        };
        if cause.is_cancelled() {
            return Err(Failure::TooLong {
                version,
                file: script.file.clone(),
                limit,
            });
        }
        if !cause.is_contention() {
            return Err(failed(version, script, cause));
        }
        if Instant::now() >= deadline {
            return Err(Failure::Locked {
                version,
                waited: begun.elapsed(),
                tries,
                holders: look::holders(hands.connection, &effects, Duration::ZERO).await?,
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

async fn clear(
    hands: &mut Hands<'_>,
    migration: &Migration,
    effects: &[Effect],
    deadline: Instant,
    tries: u32,
    begun: Instant,
) -> Result<(), Failure> {
    let version = migration.version;
    let emit = &mut *hands.emit;
    let tell = |holders: &[look::Holder]| {
        emit(Event::WaitingForHolders {
            version,
            holders: holders.to_vec(),
        });
    };
    look::until_clear(hands.connection, effects, hands.limits.old, deadline, tell)
        .await?
        .map_err(|holders| Failure::Locked {
            version,
            waited: begun.elapsed(),
            tries,
            holders,
        })
}

//! Puts what happened on another server before what happens on this one.
//!
//! Events go by the number of their transaction, which only the server that gave it can compare: an export that is restored on
//! another server brings numbers that this one has yet to give. Whoever follows along would wait for them, and hear history
//! once they have come. So all events of before become those of transaction 0, which no server gives, and go by their ids.
//!
//! Where this is up to stands in the events themselves, so that any process goes on with it, and it is done when it is
//! done: from the latest event of before, by batches, down to the first one. Asks for the ends of two indexes when there is
//! nothing to do.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{database::Database, problem::Problem};

/// A database that a process serves can become another one: its address stands in a secret.
const PACE: Duration = Duration::from_mins(1);
/// Between two looks while another process is at it, or after a failure.
const AGAIN: Duration = Duration::from_millis(200);
/// How long a start waits for the end of it; a long history needs longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Any number will do as long as every process takes the same one.
const TURN: i64 = 0x7461_736b_6d6f_7665;

/// Before anybody is served. What is not done in time is done beside serving: a list of activity may then show what happened
/// before the move in front of what happened since, but nothing is lost.
pub(crate) async fn begin(database: &Database) {
    let settled = tokio::time::timeout(PATIENCE, async {
        // Logged where it was made.
        while settle(database).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    });
    if settled.await.is_err() {
        tracing::warn!("what happened on another server is put in order beside serving");
    }
}

/// Never ends by itself.
pub(crate) async fn run(database: Database) {
    loop {
        // Logged where it was made; the next look is soon.
        drop(settle(&database).await);
        tokio::time::sleep(PACE).await;
    }
}

/// Ends when nothing is left to do.
async fn settle(database: &Database) -> Result<(), Problem> {
    let mut moved = 0;
    loop {
        let mut connection = database.connection().await?;
        let Some(last) = last_of_before(&mut connection).await? else {
            break;
        };
        let mut up_to = last;
        while let Step::Moved { events, lowest } = step(&mut connection, up_to).await? {
            moved += events;
            let Some(lowest) = lowest else {
                break;
            };
            up_to = lowest - 1;
        }
        drop(connection);
        tokio::time::sleep(AGAIN).await;
    }
    if moved > 0 {
        tracing::warn!(
            events = moved,
            "what happened on another server is put before what happens on this one"
        );
    }
    Ok(())
}

/// The latest event of before, when not all of these are put in order. Its transaction is none that this server has given, or
/// it was put in order itself, and the first one was not. What this statement sees was committed, so its transaction is one
/// before the snapshot's end.
async fn last_of_before(connection: &mut PgConnection) -> Result<Option<i64>, Problem> {
    sqlx::query_scalar(
        "with latest as (select id, tx from events order by tx desc, id desc limit 1),
              earliest as (select id, tx from events order by id limit 1),
              settled as (select id from events where tx = '0' order by tx desc, id desc limit 1)
         select greatest(
            (select id from latest where tx >= pg_snapshot_xmax(pg_current_snapshot())),
            (select id from settled where (select tx from earliest) <> '0' and id > (select id from earliest)))",
    )
    .fetch_one(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

enum Step {
    Moved {
        events: i64,
        lowest: Option<i64>,
    },
    /// Another process is at it.
    Elsewhere,
}

/// So many at a time that it stays far from its time limit. Whatever else changes these rows is erasure, which takes no turn: so
/// they are asked for again when they were changed meanwhile.
async fn step(connection: &mut PgConnection, up_to: i64) -> Result<Step, Problem> {
    let (is_ours, events, lowest): (bool, i64, Option<i64>) = sqlx::query_as(
        "with turn as materialized (select pg_try_advisory_xact_lock($1) as got,
                                           set_config('task_tracker.curating', 'on', true)),
         batch as materialized (select id from events, turn
                 where got and id <= $2 and tx <> '0' order by id desc limit 10000),
         moved as (update events set tx = '0' from batch where events.id = batch.id returning events.id)
         select (select got from turn), count(*), min(id) from moved",
    )
    .bind(TURN)
    .bind(up_to)
    .fetch_one(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Ok(if is_ours {
        Step::Moved { events, lowest }
    } else {
        Step::Elsewhere
    })
}

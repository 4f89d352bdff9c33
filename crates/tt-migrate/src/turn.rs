//! One runner at a time: an advisory lock that belongs to the run's one session.
//!
//! Polled, never waited for in the server: a session that waits inside `pg_advisory_lock` holds a snapshot, and the
//! `create index concurrently` of the runner before it waits for exactly that, until the deadlock detector ends one of them.
//! The session's end gives the lock back, however it comes.

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;

use crate::{event::Event, failure::Failure, look::Holder};

/// Any number will do as long as every runner takes the same one.
const LOCK: i64 = 0x7461_736b_5f74_7472;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) async fn take(
    connection: &mut PgConnection,
    wait: Duration,
    emit: &mut (dyn FnMut(Event) + Send),
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut told = false;
    loop {
        let got: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(Failure::query("ask whether another migration is running"))?;
        if got {
            return Ok(());
        }
        let waited = begun.elapsed();
        if waited >= wait {
            let holder = holder(connection).await?;
            return Err(Failure::Busy {
                waited,
                holder: holder.map(Box::new),
            });
        }
        if !told {
            let holder = holder(connection).await?;
            emit(Event::WaitingForTurn { holder });
            told = true;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn holder(connection: &mut PgConnection) -> Result<Option<Holder>, Failure> {
    let row: Option<(i32, String, String, String, i64)> = sqlx::query_as(
        "select activity.pid, activity.application_name, coalesce(usename, '')::text, coalesce(state, ''), \
         coalesce((extract(epoch from clock_timestamp() - backend_start) * 1000)::bigint, 0) \
         from pg_locks join pg_stat_activity activity using (pid) \
         where locktype = 'advisory' and granted and classid = ($1 >> 32)::oid and objid = ($1 & 4294967295)::oid \
         and objsubid = 1 and database = (select oid from pg_database where datname = current_database())",
    )
    .bind(LOCK)
    .fetch_optional(connection)
    .await
    .map_err(Failure::query("look who runs the other migration"))?;
    Ok(row.map(|(pid, application, user, state, open)| Holder {
        pid: Some(pid),
        application,
        user,
        state,
        open: Duration::from_millis(u64::try_from(open).unwrap_or_default()),
        relation: String::new(),
    }))
}

//! Looking before locking: who holds something that a statement's lock would have to wait for.
//!
//! A lock request that waits makes everybody queue behind it, so the cheapest wait is the one before asking. The look is
//! racy; the short lock timeout of the session stays as the bound. Takes no lock itself, and never ends a session.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use tokio::time::Instant;

use crate::{event::milliseconds, failure::Failure, statement::Effect};

const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A session that is in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its backend; none for a prepared transaction.
    pub pid: Option<i32>,
    /// What it calls itself.
    pub application: String,
    /// Its database user.
    pub user: String,
    /// `active`, `idle in transaction`, …
    pub state: String,
    /// How long its transaction has been open.
    #[serde(rename = "milliseconds", with = "milliseconds")]
    pub open: Duration,
    /// What it holds.
    pub relation: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(formatter, "backend {pid}")?,
            None => formatter.write_str("a prepared transaction")?,
        }
        if !self.application.is_empty() {
            write!(formatter, " `{}`", self.application)?;
        }
        write!(
            formatter,
            " of {} ({}, for {:.1} s)",
            self.user,
            self.state,
            self.open.as_secs_f64()
        )?;
        if self.relation.is_empty() {
            Ok(())
        } else {
            write!(formatter, " holds {}", self.relation)
        }
    }
}

/// Who holds, in a transaction that is older than `old`, something that these effects' locks exclude.
pub(crate) async fn holders(
    connection: &mut PgConnection,
    effects: &[Effect],
    old: Duration,
) -> Result<Vec<Holder>, Failure> {
    let mut names = Vec::new();
    let mut modes = Vec::new();
    for effect in effects {
        for mode in effect.mode.excluded() {
            names.push(effect.relation.quoted());
            modes.push(mode);
        }
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(Option<i32>, String, String, String, i64, String)> = sqlx::query_as(HOLDERS)
        .bind(names)
        .bind(modes)
        .bind(i64::try_from(old.as_millis()).unwrap_or(i64::MAX))
        .fetch_all(connection)
        .await
        .map_err(Failure::query("look at who holds locks"))?;
    Ok(rows
        .into_iter()
        .map(|(pid, application, user, state, open, relation)| Holder {
            pid,
            application,
            user,
            state,
            open: Duration::from_millis(u64::try_from(open).unwrap_or_default()),
            relation,
        })
        .collect())
}

/// An index stands for its table as well: changing one locks both. What a query says is left out: it may hold data.
const HOLDERS: &str = "
with named as (
    select to_regclass(name)::oid as relation, mode from unnest($1::text[], $2::text[]) as wanted (name, mode)
), wanted as (
    select relation, mode from named where relation is not null
    union
    select indrelid, mode from named join pg_index on indexrelid = relation
)
select distinct on (held.pid)
    held.pid,
    coalesce(activity.application_name, ''),
    coalesce(activity.usename, '')::text,
    coalesce(activity.state, activity.backend_type, 'prepared'),
    coalesce((extract(epoch from clock_timestamp() - activity.xact_start) * 1000)::bigint, 0),
    held.relation::regclass::text
from wanted
join pg_locks held on held.relation = wanted.relation and held.mode = wanted.mode and held.granted
left join pg_stat_activity activity on activity.pid = held.pid
where held.database = (select oid from pg_database where datname = current_database())
    and held.pid is distinct from pg_backend_pid()
    and coalesce(clock_timestamp() - activity.xact_start >= $3 * interval '1 millisecond', true)
order by held.pid";

/// Waits until nobody old is in the way. Says who is, whenever that changes. At the deadline, gives who still is.
pub(crate) async fn until_clear(
    connection: &mut PgConnection,
    effects: &[Effect],
    old: Duration,
    deadline: Instant,
    mut tell: impl FnMut(&[Holder]),
) -> Result<Result<(), Vec<Holder>>, Failure> {
    let mut told: Vec<Option<i32>> = Vec::new();
    loop {
        let holders = holders(connection, effects, old).await?;
        if holders.is_empty() {
            return Ok(Ok(()));
        }
        if Instant::now() >= deadline {
            return Ok(Err(holders));
        }
        let pids: Vec<Option<i32>> = holders.iter().map(|holder| holder.pid).collect();
        if pids != told {
            tell(&holders);
            told = pids;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

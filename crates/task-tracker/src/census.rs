//! How the service is used, as its operators see it: counted from time to time, whatever the number of scrapes.
//!
//! Every process counts, so a count must cost the same however much there is: of a large table some pages are read, picked
//! at random, and what is on them is scaled up. Of a small one that is every page, and the count is exact.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{database::Database, problem::Problem, telemetry::Metrics};

const PACE: Duration = Duration::from_secs(30);
/// Of each table: 4 MiB.
const PAGES: f64 = 512.0;
/// Messages of webhooks that are counted; more are as bad.
const MESSAGES: i64 = 10_000;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Census {
    /// Sessions used within the last quarter of an hour.
    pub(crate) sessions: i64,
    /// Users who were here within the last day, themselves or by an API token.
    pub(crate) active_users: i64,
    pub(crate) open: i64,
    pub(crate) in_progress: i64,
    pub(crate) done: i64,
    /// Messages that could be sent now.
    pub(crate) due: i64,
    /// Messages that are under way, or wait for another attempt.
    pub(crate) later: i64,
    /// For how many seconds the oldest of those that are due has been.
    pub(crate) overdue: f64,
}

/// Never ends by itself. What could not be counted keeps its last value.
pub(crate) async fn run(database: Database, meters: Metrics) {
    // The series are there before there is anything to count.
    meters.census(&Census::default());
    let mut beat = tokio::time::interval(PACE);
    loop {
        beat.tick().await;
        if let Ok(census) = take(&database).await {
            meters.census(&census);
        }
    }
}

async fn take(database: &Database) -> Result<Census, Problem> {
    let mut connection = database.connection().await?;
    let census = async {
        let shares = shares(&mut connection).await?;
        let census = count(&mut connection, shares).await?;
        with_backlog(&mut connection, census).await
    };
    census.await.map_err(|cause| Problem::of_database(&cause))
}

/// How much of each table to read, in per cent.
#[derive(Debug, Clone, Copy)]
struct Shares {
    tasks: f32,
    sessions: f32,
    tokens: f32,
}

macro_rules! share {
    ($table:literal) => {
        concat!(
            "least(100, 100 * $1 * current_setting('block_size')::float8 / greatest(pg_relation_size('",
            $table,
            "'), 1))::real"
        )
    };
}

async fn shares(connection: &mut PgConnection) -> Result<Shares, sqlx::Error> {
    let (tasks, sessions, tokens) = sqlx::query_as(concat!(
        "select ",
        share!("tasks"),
        ", ",
        share!("sessions"),
        ", ",
        share!("api_tokens")
    ))
    .bind(PAGES)
    .fetch_one(connection)
    .await?;
    Ok(Shares {
        tasks,
        sessions,
        tokens,
    })
}

/// A user with several sessions is met several times, and counts by so much less each time.
async fn count(connection: &mut PgConnection, shares: Shares) -> Result<Census, sqlx::Error> {
    let (sessions, active_users, open, in_progress, done) = sqlx::query_as(
        "with met as (
            select user_id, $2::real as share, count(*) as times from sessions tablesample system ($2::real)
            where last_used_at > now() - interval '1 day' group by user_id
            union all
            select user_id, $3::real, count(*) from api_tokens tablesample system ($3::real)
            where last_used_at > now() - interval '1 day' group by user_id
         ), people as (
            select coalesce(sum(times::float8 / (
                (select count(*) from sessions
                 where sessions.user_id = met.user_id and last_used_at > now() - interval '1 day')
                + (select count(*) from api_tokens
                   where api_tokens.user_id = met.user_id and last_used_at > now() - interval '1 day')
            ) * 100 / share), 0) as found from met
         ), present as (
            select count(*) * 100 / $2::real as found from sessions tablesample system ($2::real)
            where last_used_at > now() - interval '15 minutes' and expires_at > now()
         ), work as (
            select count(*) filter (where status = 'open') * 100 / $1::real as open,
                   count(*) filter (where status = 'in_progress') * 100 / $1::real as in_progress,
                   count(*) filter (where status = 'done') * 100 / $1::real as done
            from tasks tablesample system ($1::real)
         )
         select present.found::bigint, people.found::bigint, open::bigint, in_progress::bigint, done::bigint
         from present, people, work",
    )
    .bind(shares.tasks)
    .bind(shares.sessions)
    .bind(shares.tokens)
    .fetch_one(connection)
    .await?;
    Ok(Census {
        sessions,
        active_users,
        open,
        in_progress,
        done,
        ..Census::default()
    })
}

/// Those that have been due longest come first, so that how long is right however many there are.
async fn with_backlog(connection: &mut PgConnection, census: Census) -> Result<Census, sqlx::Error> {
    let (due, later, overdue) = sqlx::query_as(
        "with pending as (
            select next_at, next_at <= now() and (not_before is null or not_before <= now()) as is_due
            from webhook_deliveries join webhooks on webhooks.id = webhook_deliveries.webhook_id
            where webhook_deliveries.state = 'pending' and webhooks.state = 'active'
            order by next_at limit $1
         )
         select count(*) filter (where is_due), count(*) filter (where not is_due),
                coalesce(extract(epoch from now() - min(next_at) filter (where is_due)), 0)::float8
         from pending",
    )
    .bind(MESSAGES)
    .fetch_one(connection)
    .await?;
    Ok(Census {
        due,
        later,
        overdue,
        ..census
    })
}

//! How the service is used, as its operators see it: counted from time to time, whatever the number of scrapes.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{database::Database, problem::Problem, telemetry::Metrics};

const PACE: Duration = Duration::from_secs(30);

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Census {
    /// Sessions used within the last quarter of an hour.
    pub(crate) sessions: i64,
    /// Users who were here within the last day, themselves or by an API token.
    pub(crate) active_users: i64,
    pub(crate) open: i64,
    pub(crate) in_progress: i64,
    pub(crate) done: i64,
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
    count(&mut connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))
}

async fn count(connection: &mut PgConnection) -> Result<Census, sqlx::Error> {
    let (sessions, active_users, open, in_progress, done) = sqlx::query_as(
        "select (select count(*) from sessions where last_used_at > now() - interval '15 minutes' and expires_at > now()),
                (select count(*) from (
                    select user_id from sessions where last_used_at > now() - interval '1 day'
                    union select user_id from api_tokens where last_used_at > now() - interval '1 day') as recent),
                count(*) filter (where status = 'open'), count(*) filter (where status = 'in_progress'),
                count(*) filter (where status = 'done')
         from tasks",
    )
    .fetch_one(connection)
    .await?;
    Ok(Census {
        sessions,
        active_users,
        open,
        in_progress,
        done,
    })
}

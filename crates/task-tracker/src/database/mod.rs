//! The two ways to PostgreSQL and their limits: lanes for what every request asks, a pool for the rest.
//!
//! Never opens a transaction: sqlx 0.9.0 hands the next borrower a connection with a stale transaction when the
//! future that began one is dropped (launchbadge/sqlx #4385, #4393), and a client that disconnects drops its future; on a
//! lane it would be everybody's. Every mutation is one statement instead; `idle_in_transaction_session_timeout` is the net
//! below.

mod lanes;
mod login;

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio_postgres::{Row, types::FromSql};

use lanes::Lanes;
pub(crate) use lanes::{Parameter, Sending, Unanswered};
use login::Login;

use crate::{
    coalescing::Change,
    config::{DatabaseUrl, MissingDatabaseUrl, Settings},
    operation,
    problem::Problem,
    telemetry::Metrics,
    trace,
};

/// A connection that was idle for longer is asked for a sign of life before it is lent out.
const TRUSTED_WHILE_IDLE: Duration = Duration::from_secs(30);
/// `/readyz` must answer well within the health check's own timeout (Elastic Load Balancing: 5 s by default).
const PROBE: Duration = Duration::from_secs(1);

/// The connections of one process.
#[derive(Clone)]
pub(crate) struct Database {
    lanes: Lanes,
    work: PgPool,
    /// `/readyz` has a connection of its own: a pool that is merely busy must not look like a database that is gone.
    probe: PgPool,
    login: Arc<Login>,
    /// How long to wait for a connection, or a place on one.
    patience: Duration,
    /// Connections of the lanes and the pool, together.
    most: u32,
    meters: Metrics,
}

/// How many connections are open, and how many of these are free.
pub(crate) struct PoolLevel {
    pub(crate) open: u32,
    pub(crate) idle: usize,
    pub(crate) most: u32,
}

impl Database {
    /// Describes lanes and pools; the first request for a connection opens one.
    pub(crate) fn open(url: &DatabaseUrl, settings: &Settings, meters: Metrics) -> Result<Self, MissingDatabaseUrl> {
        let options = limited(url.options()?, settings);
        let pool = PgPoolOptions::new()
            .acquire_timeout(settings.database_acquire)
            .test_before_acquire(false)
            .before_acquire(|connection, lent| {
                Box::pin(async move {
                    if lent.idle_for > TRUSTED_WHILE_IDLE {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            });
        // Half and half: the lanes have most of the statements, and the pool those that take long.
        let lanes = (settings.database_pool / 2).max(1);
        let work = pool
            .clone()
            .max_connections((settings.database_pool - lanes).max(1))
            .connect_lazy_with(options.clone());
        let probe = pool.max_connections(1).connect_lazy_with(options);
        let login = Arc::new(Login::new(url, settings, [work.clone(), probe.clone()]));
        Ok(Self {
            lanes: Lanes::of(usize::try_from(lanes).unwrap_or(1), Arc::clone(&login)),
            work,
            probe,
            login,
            patience: settings.database_acquire,
            most: settings.database_pool,
            meters,
        })
    }

    /// Has one statement answered on a lane. It is a transaction by itself, and is done or not done whatever becomes of whoever
    /// asked. The wait for a place is measured, and how long the answer takes, and for what.
    pub(crate) async fn ask(
        &self,
        sending: Sending,
        sql: &'static str,
        parameters: &[&dyn Parameter],
    ) -> Result<Vec<Row>, Unanswered> {
        let mut using = Use::begin(&self.meters);
        let _under_way = (sending == Sending::Once).then(Change::begin);
        let mut is_first = true;
        loop {
            let end = Instant::now() + self.patience;
            let errand = self.lanes.errand(sending, end.into()).await;
            using.has_waited();
            let errand = errand?;
            using.has_connection();
            match Box::pin(errand.run(sending, sql, parameters)).await {
                Ok(rows) => return Ok(rows),
                Err(setback) if is_first && setback.is_worth_another => is_first = false,
                Err(setback) => return Err(Unanswered::Statement(setback.cause)),
            }
        }
    }

    /// The rows that a statement gives which changes nothing.
    pub(crate) async fn rows(&self, sql: &'static str, parameters: &[&dyn Parameter]) -> Result<Vec<Row>, Problem> {
        let rows = self.ask(Sending::Repeatable, sql, parameters).await;
        rows.map_err(|cause| Problem::of_statement(&cause))
    }

    /// The row that such a statement gives, if it does.
    pub(crate) async fn row(&self, sql: &'static str, parameters: &[&dyn Parameter]) -> Result<Option<Row>, Problem> {
        Ok(self.rows(sql, parameters).await?.into_iter().next())
    }

    /// Lends a connection of the pool; the wait for it is measured, and how long it is used, and for what.
    pub(crate) async fn connection(&self) -> Result<Lent, Problem> {
        let mut using = Use::begin(&self.meters);
        let end = (Instant::now() + self.patience).into();
        let lent = Box::pin(tokio::time::timeout_at(end, self.borrow(end)))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut));
        using.has_waited();
        let connection = lent.map_err(|cause| Problem::of_database(&cause))?;
        using.has_connection();
        Ok(Lent {
            connection,
            _using: using,
        })
    }

    async fn borrow(&self, end: tokio::time::Instant) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        match self.work.acquire().await {
            Err(cause) if login::is_refused(&cause) => self.login.retry(&self.work, end).await,
            lent => lent,
        }
    }

    /// Whether the database answers within a second.
    pub(crate) async fn answers(&self) -> Result<(), sqlx::Error> {
        let question = async {
            let mut connection = match self.probe.acquire().await {
                Err(cause) if login::is_refused(&cause) => {
                    let end = tokio::time::Instant::now() + PROBE;
                    self.login.retry(&self.probe, end).await?
                }
                lent => lent?,
            };
            sqlx::query("select 1").execute(&mut *connection).await
        };
        tokio::time::timeout(PROBE, question)
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)??;
        Ok(())
    }

    /// Looks for a new login, and after the lanes, from time to time; never ends by itself.
    pub(crate) async fn look_after(self) {
        let mut beat = tokio::time::interval(login::PACE);
        loop {
            beat.tick().await;
            self.login.renew().await;
            self.lanes.look_after(self.patience).await;
        }
    }

    pub(crate) fn meters(&self) -> &Metrics {
        &self.meters
    }

    pub(crate) fn probe(&self) -> &PgPool {
        &self.probe
    }

    /// Connections of the pool, without the lanes.
    pub(crate) fn most_at_work(&self) -> u32 {
        self.work.options().get_max_connections()
    }

    pub(crate) fn level(&self) -> PoolLevel {
        let (open, idle) = self.lanes.level();
        PoolLevel {
            open: self.work.size() + open,
            idle: self.work.num_idle() + idle,
            most: self.most,
        }
    }

    pub(crate) async fn close(&self) {
        self.lanes.close();
        tokio::join!(self.work.close(), self.probe.close());
    }
}
/// A connection of the pool while somebody uses it. Operations are one or two statements and wait for nothing else meanwhile,
/// so the time is that of their statements.
pub(crate) struct Lent {
    connection: PoolConnection<Postgres>,
    /// Ends with this.
    _using: Use,
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

/// A use of the database by an operation, as metrics and traces see it: first the wait, then, until it is dropped, the work.
struct Use {
    operation: operation::Name,
    asked: Instant,
    since: Option<Instant>,
    meters: Metrics,
    traced: trace::Use,
}

impl Use {
    fn begin(meters: &Metrics) -> Self {
        let operation = operation::current();
        Self {
            traced: trace::database(&operation),
            operation,
            asked: Instant::now(),
            since: None,
            meters: meters.clone(),
        }
    }

    /// For a connection or a place, whether or not there was one in the end.
    fn has_waited(&self) {
        self.meters.pool_wait(self.asked.elapsed());
    }

    fn has_connection(&mut self) {
        self.traced.has_connection();
        self.since.get_or_insert_with(Instant::now);
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Some(since) = self.since {
            self.meters.database_use(&self.operation, since.elapsed());
        }
    }
}

/// What stands in a column of a row, counted from 0.
pub(crate) fn column<'r, T: FromSql<'r>>(row: &'r Row, index: usize) -> Result<T, Problem> {
    row.try_get(index)
        .map_err(|cause| Problem::of_statement(&Unanswered::Statement(cause)))
}

fn limited(options: PgConnectOptions, settings: &Settings) -> PgConnectOptions {
    options
        .application_name(&format!("task-tracker {}", settings.release.as_str()))
        .options([
            ("statement_timeout", "5s"),
            ("lock_timeout", "2s"),
            ("idle_in_transaction_session_timeout", "5s"),
            // What JSON that PostgreSQL writes says of time.
            ("TimeZone", "UTC"),
        ])
}

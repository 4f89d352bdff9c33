//! The pool of connections to PostgreSQL and its limits.
//!
//! Never opens a transaction: sqlx 0.9.0 hands the next borrower a connection with a stale transaction when the
//! future that began one is dropped (launchbadge/sqlx #4385, #4393), and a client that disconnects drops its future.
//! Every mutation is one statement instead; `idle_in_transaction_session_timeout` is the net below.

mod login;

use std::{
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use login::Login;

use crate::{
    config::{DatabaseUrl, MissingDatabaseUrl, Settings},
    operation,
    problem::Problem,
    shelf::{Borrowed, Shelf},
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
    work: PgPool,
    /// Connections of that pool that are at hand.
    shelf: Shelf,
    /// `/readyz` has a connection of its own: a pool that is merely busy must not look like a database that is gone.
    probe: PgPool,
    login: Arc<Login>,
    /// How long to wait for a connection.
    patience: Duration,
    meters: Metrics,
}

/// How many connections are open, and how many of these are free.
pub(crate) struct PoolLevel {
    pub(crate) open: u32,
    pub(crate) idle: usize,
    pub(crate) most: u32,
}

impl Database {
    /// Describes the pool; the first request for a connection opens one.
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
        let work = pool
            .clone()
            .max_connections(settings.database_pool)
            .connect_lazy_with(options.clone());
        Ok(Self {
            shelf: Shelf::of(&work),
            work,
            probe: pool.max_connections(1).connect_lazy_with(options),
            login: Arc::new(Login::new(url, settings)),
            patience: settings.database_acquire,
            meters,
        })
    }

    /// Lends a connection; the wait for it is measured, and how long it is used, and for what.
    pub(crate) async fn connection(&self) -> Result<Lent, Problem> {
        let operation = operation::current();
        let mut traced = trace::database(&operation);
        let asked = Instant::now();
        let end = (asked + self.patience).into();
        let lent = tokio::time::timeout_at(end, self.borrow(end))
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut));
        self.meters.pool_wait(asked.elapsed());
        let connection = lent.map_err(|cause| Problem::of_database(&cause))?;
        traced.has_connection();
        Ok(Lent {
            connection,
            operation,
            since: Instant::now(),
            meters: self.meters.clone(),
            _traced: traced,
        })
    }

    async fn borrow(&self, end: tokio::time::Instant) -> Result<Borrowed, sqlx::Error> {
        let place = match self.shelf.place().await?.at_hand() {
            Ok(borrowed) => return Ok(borrowed),
            Err(place) => place,
        };
        let connection = match self.work.acquire().await {
            Err(cause) if login::is_refused(&cause) => self.login.retry([&self.work, &self.probe], end).await?,
            lent => lent?,
        };
        Ok(place.with(connection))
    }

    /// Whether the database answers within a second.
    pub(crate) async fn answers(&self) -> Result<(), sqlx::Error> {
        let question = async {
            let mut connection = match self.probe.acquire().await {
                Err(cause) if login::is_refused(&cause) => {
                    let end = tokio::time::Instant::now() + PROBE;
                    self.login.retry([&self.probe, &self.work], end).await?
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

    /// Looks for a new login from time to time; never ends by itself.
    pub(crate) async fn follow_login(self) {
        let mut beat = tokio::time::interval(login::PACE);
        loop {
            beat.tick().await;
            self.login.renew([&self.work, &self.probe]).await;
        }
    }

    pub(crate) fn meters(&self) -> &Metrics {
        &self.meters
    }

    pub(crate) fn probe(&self) -> &PgPool {
        &self.probe
    }

    pub(crate) fn level(&self) -> PoolLevel {
        PoolLevel {
            open: self.work.size(),
            idle: self.work.num_idle() + self.shelf.kept(),
            most: self.work.options().get_max_connections(),
        }
    }

    pub(crate) async fn close(&self) {
        let closing = self.work.close();
        self.shelf.clear();
        tokio::join!(closing, self.probe.close());
    }
}

/// A connection of the pool while somebody uses it. Operations are one or two statements and wait for nothing else meanwhile,
/// so the time is that of their statements.
pub(crate) struct Lent {
    connection: Borrowed,
    operation: operation::Name,
    since: Instant,
    meters: Metrics,
    /// Ends with this.
    _traced: trace::Use,
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

impl Drop for Lent {
    fn drop(&mut self) {
        self.meters.database_use(&self.operation, self.since.elapsed());
    }
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

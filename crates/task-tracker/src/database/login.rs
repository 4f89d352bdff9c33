//! By what the pools and the lanes log in at PostgreSQL, and how a new password comes to them while they serve.
//!
//! A rotation changes the role's password, or moves on to a second role, and then the secret or the file that the URL was read
//! from. Connections of the pools that are open stay, those of the lanes are replaced one by one; new ones take what that says
//! by then. Between the two changes a login may be refused: whoever waits for a connection waits on, as long as for any
//! connection, and it is read again meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use sqlx::{PgPool, Postgres, error::DatabaseError, pool::PoolConnection, postgres::PgConnectOptions};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    config::{DatabaseUrl, MissingDatabaseUrl, Settings},
    secrets::{ROUTINE, URGENT},
};

/// How soon a change of a file is seen that nothing failed for; of a secret, `ROUTINE`.
pub(crate) const PACE: Duration = Duration::from_secs(10);
/// Between two looks while a login is refused.
pub(super) const AGAIN: Duration = Duration::from_millis(100);

/// The URL that some pools go by.
pub(crate) struct Login {
    url: Mutex<DatabaseUrl>,
    /// How often it has changed.
    changes: AtomicU64,
    pools: [PgPool; 2],
    settings: Settings,
}

impl Login {
    pub(crate) fn new(url: &DatabaseUrl, settings: &Settings, pools: [PgPool; 2]) -> Self {
        Self {
            url: Mutex::new(url.clone()),
            changes: AtomicU64::new(0),
            pools,
            settings: settings.clone(),
        }
    }

    /// Lets the pools take the URL as it stands by now, and says whether it had changed. What cannot be read, perhaps since it
    /// is just being written, is left for the next look.
    pub(crate) async fn renew(&self) -> bool {
        self.look(ROUTINE).await
    }

    /// As `renew`, for whoever was refused by what is known so far.
    pub(super) async fn renew_now(&self) -> bool {
        self.look(URGENT).await
    }

    async fn look(&self, age: Duration) -> bool {
        let mut url = self.url.lock().await;
        let Ok(Some(changed)) = url.changed(age).await else {
            return false;
        };
        let Ok(options) = changed.options() else {
            return false;
        };
        let options = super::limited(options, &self.settings);
        for pool in &self.pools {
            pool.set_connect_options(options.clone());
        }
        *url = changed;
        self.changes.fetch_add(1, Ordering::SeqCst);
        tracing::info!("the database URL has changed; new connections go by it");
        true
    }

    /// What a new connection goes by, and how often that has changed.
    pub(crate) async fn now(&self) -> Result<(PgConnectOptions, u64), MissingDatabaseUrl> {
        let url = self.url.lock().await;
        let options = super::limited(url.options()?, &self.settings);
        Ok((options, self.count()))
    }

    /// How often the URL has changed.
    pub(crate) fn count(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    #[cfg(test)]
    pub(super) fn has_changed(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
    }

    /// A connection of this pool, after a login was refused: tried until `end` with whatever is true by then.
    pub(crate) async fn retry(&self, pool: &PgPool, end: Instant) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        loop {
            self.renew_now().await;
            match pool.acquire().await {
                Err(cause) if is_refused(&cause) && Instant::now() + AGAIN < end => tokio::time::sleep(AGAIN).await,
                outcome => return outcome,
            }
        }
    }
}

/// PostgreSQL manual, appendix A: 28P01 `invalid_password`, 28000 `invalid_authorization_specification`.
pub(crate) fn is_refused(cause: &sqlx::Error) -> bool {
    let code = cause.as_database_error().and_then(DatabaseError::code);
    matches!(code.as_deref(), Some("28P01" | "28000"))
}

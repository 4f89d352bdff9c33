//! By what the pools log in at PostgreSQL, and how a new password comes to them while they serve.
//!
//! A rotation changes the role's password, or moves on to a second role, and then the secret or the file that the URL was read
//! from. Connections that are open stay; new ones take what that says by then. Between the two changes a login may be refused:
//! whoever waits for a connection waits on, as long as for any connection, and it is read again meanwhile.

use std::time::Duration;

use sqlx::{PgPool, Postgres, error::DatabaseError, pool::PoolConnection};
use tokio::{sync::Mutex, time::Instant};

use crate::{
    config::{DatabaseUrl, Settings},
    secrets::{ROUTINE, URGENT},
};

/// How soon a change of a file is seen that nothing failed for; of a secret, `ROUTINE`.
pub(crate) const PACE: Duration = Duration::from_secs(10);
/// Between two looks while a login is refused.
const AGAIN: Duration = Duration::from_millis(100);

/// The URL that some pools go by.
pub(crate) struct Login {
    url: Mutex<DatabaseUrl>,
    settings: Settings,
}

impl Login {
    pub(crate) fn new(url: &DatabaseUrl, settings: &Settings) -> Self {
        Self {
            url: Mutex::new(url.clone()),
            settings: settings.clone(),
        }
    }

    /// Lets these pools take the URL as it stands by now. What cannot be read, perhaps since it is just being written, is left
    /// for the next look.
    pub(crate) async fn renew(&self, pools: [&PgPool; 2]) {
        self.look(pools, ROUTINE).await;
    }

    async fn look(&self, pools: [&PgPool; 2], age: Duration) {
        let mut url = self.url.lock().await;
        let Ok(Some(changed)) = url.changed(age).await else {
            return;
        };
        let Ok(options) = changed.options() else {
            return;
        };
        let options = super::limited(options, &self.settings);
        for pool in pools {
            pool.set_connect_options(options.clone());
        }
        *url = changed;
        tracing::info!("the database URL has changed; new connections go by it");
    }

    /// A connection of the first pool, after a login was refused: tried until `end` with whatever is true by then.
    pub(crate) async fn retry(
        &self,
        pools: [&PgPool; 2],
        end: Instant,
    ) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        loop {
            self.look(pools, URGENT).await;
            match pools[0].acquire().await {
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

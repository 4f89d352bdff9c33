//! Which schema this release needs, and whether the database has it.
//!
//! Reads only. Bringing the schema there is `migrate`'s work, and is never done at boot: during a blue-green overlap
//! two releases serve on one schema.

use std::time::Duration;

use sqlx::PgPool;
use tokio::time::Instant;
use tt_migrate::{File, Migrations, Unfit, Unloadable};

use crate::database::Database;

include!(concat!(env!("OUT_DIR"), "/migrations.rs"));

const RETRY: Duration = Duration::from_millis(200);

/// Why a schema will not do.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The database did not answer in time.
    #[error("could not read the schema version within {} s", .waited.as_secs_f64())]
    Unreadable {
        /// How long it was tried.
        waited: Duration,
        /// What the last try said.
        #[source]
        cause: Unread,
    },
    /// The schema is older than the code, or what the code uses was taken away.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The files in this binary are wrong.
    #[error(transparent)]
    Files(#[from] Unloadable),
}

/// Why the schema could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// No connection.
    #[error("could not connect")]
    Connect(#[source] sqlx::Error),
    /// No answer.
    #[error(transparent)]
    Look(Box<tt_migrate::Failure>),
}

/// The migrations that are part of this release.
pub(crate) fn migrations() -> Result<Migrations, Unloadable> {
    tt_migrate::load(FILES.iter().map(|(name, text)| File::new(*name, *text)))
}

/// Accepts the schema this release needs and any newer one that left it what it uses; waits a while for a database that is
/// still starting.
pub(crate) async fn require(database: &Database, patience: Duration) -> Result<(), SchemaError> {
    let migrations = migrations()?;
    let begun = Instant::now();
    loop {
        match look(database.probe(), &migrations).await {
            Ok(verdict) => return Ok(verdict?),
            Err(cause) if begun.elapsed() + RETRY >= patience || !passes(&cause) => {
                return Err(SchemaError::Unreadable {
                    waited: begun.elapsed(),
                    cause,
                });
            }
            Err(cause) => {
                tracing::info!(%cause, "waiting for the database");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn look(pool: &PgPool, migrations: &Migrations) -> Result<Result<(), Unfit>, Unread> {
    let mut connection = pool.acquire().await.map_err(Unread::Connect)?;
    tt_migrate::fits(&mut connection, migrations)
        .await
        .map_err(|failure| Unread::Look(Box::new(failure)))
}

/// A wrong password stays wrong; a server that starts, or a socket that is not there yet, may come.
fn passes(cause: &Unread) -> bool {
    let Unread::Connect(cause) = cause else {
        return true;
    };
    match cause.as_database_error() {
        // PostgreSQL manual, appendix A: 57P03 cannot_connect_now, 53300 too_many_connections.
        Some(refusal) => matches!(refusal.code().as_deref(), Some("57P03" | "53300")),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_of_this_release_can_be_used() {
        let migrations = migrations().unwrap();
        assert!(migrations.iter().count() > 0);
        assert!(migrations.schema().needs <= migrations.schema().knows);
    }
}

//! Brings the schema to this release, on one connection of its own.
//!
//! Walks the migrations itself rather than through `Migrator::run`: that one leaks its session lock when a migration
//! fails, and waits inside `pg_advisory_lock` with a snapshot open, which kills the other runner's
//! `create index concurrently` with a deadlock. Never runs at boot.

use std::time::Duration;

use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{AppliedMigration, Migrate, MigrateError, Migration},
};
use tokio::time::Instant;

use crate::{
    config::{DatabaseUrl, MissingDatabaseUrl},
    schema::{APPLIED, migrations},
};

/// Any number will do as long as every runner takes the same one.
const LOCK: i64 = 0x7461_736b_5f74_7472;
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// One migration that this run applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// Its name, from the file.
    pub name: String,
    /// How long it took.
    pub took: Duration,
}

/// Why the schema is not at this release.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// The database URL is missing or malformed.
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    /// No connection, or it was lost.
    #[error("could not reach the database to migrate it")]
    Database(#[source] sqlx::Error),
    /// The table of applied migrations could not be read.
    #[error("could not read which migrations are applied")]
    Read(#[source] MigrateError),
    /// Another runner holds the lock.
    #[error("another migration is still running after {} s; nothing was changed", .waited.as_secs_f64())]
    Busy {
        /// How long this run waited.
        waited: Duration,
    },
    /// The file is not the one that was applied.
    #[error("migration {version:04} was edited after it was applied; nothing was changed")]
    Edited {
        /// Its number.
        version: i64,
    },
    /// The migration failed and was rolled back; those before it stay.
    #[error("could not apply migration {version:04}")]
    Apply {
        /// Its number.
        version: i64,
        /// What PostgreSQL says.
        #[source]
        cause: MigrateError,
    },
}

/// Applies what is missing, in order, and says what that was. Migrations that only a newer release knows are left alone.
pub async fn to_latest(url: &DatabaseUrl, wait: Duration) -> Result<Vec<Applied>, MigrationError> {
    let mut connection = connect(url).await?;
    lock(&mut connection, wait).await?;
    // The lock belongs to the session: closing the connection gives it back, whatever happened.
    let outcome = apply_missing(&mut connection).await;
    drop(connection.close().await);
    outcome
}

async fn connect(url: &DatabaseUrl) -> Result<PgConnection, MigrationError> {
    url.options()
        .map_err(MigrationError::Url)?
        .application_name("task-tracker migrate")
        .options([("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "60s")])
        .connect()
        .await
        .map_err(MigrationError::Database)
}

async fn lock(connection: &mut PgConnection, wait: Duration) -> Result<(), MigrationError> {
    let begun = Instant::now();
    loop {
        let got: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(MigrationError::Database)?;
        if got {
            return Ok(());
        }
        if begun.elapsed() >= wait {
            return Err(MigrationError::Busy {
                waited: begun.elapsed(),
            });
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn apply_missing(connection: &mut PgConnection) -> Result<Vec<Applied>, MigrationError> {
    connection
        .ensure_migrations_table(APPLIED)
        .await
        .map_err(MigrationError::Read)?;
    let known = connection
        .list_applied_migrations(APPLIED)
        .await
        .map_err(MigrationError::Read)?;
    let migrations = migrations();
    let missing = missing(migrations.iter(), &known)?;

    let mut applied = Vec::with_capacity(missing.len());
    for migration in missing {
        let version = migration.version;
        let took = connection
            .apply(APPLIED, migration)
            .await
            .map_err(|cause| MigrationError::Apply { version, cause })?;
        applied.push(Applied {
            version,
            name: migration.description.to_string(),
            took,
        });
    }
    Ok(applied)
}

fn missing<'m>(
    migrations: impl Iterator<Item = &'m Migration>,
    known: &[AppliedMigration],
) -> Result<Vec<&'m Migration>, MigrationError> {
    let mut missing = Vec::new();
    for migration in migrations.filter(|migration| migration.migration_type.is_up_migration()) {
        match known.iter().find(|applied| applied.version == migration.version) {
            None => missing.push(migration),
            Some(applied) if applied.checksum == migration.checksum => {}
            Some(_) => {
                return Err(MigrationError::Edited {
                    version: migration.version,
                });
            }
        }
    }
    Ok(missing)
}

//! Which schema this release needs, and whether the database has it.
//!
//! Reads only. Bringing the schema there is `migrate`'s work, and is never done at boot: during a blue-green overlap
//! two releases serve on one schema.

use std::time::Duration;

use sqlx::{PgPool, migrate::Migrator};
use tokio::time::Instant;

use crate::database::Database;

/// sqlx's default, named because the version is read before anything created it.
pub(crate) const APPLIED: &str = "_sqlx_migrations";
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
        cause: sqlx::Error,
    },
    /// The schema is older than the code.
    #[error("the schema is at version {found} and this release needs {needed}: run `task-tracker migrate` first")]
    Behind {
        /// The latest version applied to the database, 0 for none.
        found: i64,
        /// The version this release was written for.
        needed: i64,
    },
}

/// The migrations that are part of this release.
pub(crate) fn migrations() -> Migrator {
    sqlx::migrate!()
}

/// Accepts the schema this release needs and any newer one; waits a while for a database that is still starting.
pub(crate) async fn require(database: &Database, patience: Duration) -> Result<(), SchemaError> {
    let needed = needed(&migrations());
    let found = found(database.probe(), patience).await?;
    if found < needed {
        return Err(SchemaError::Behind { found, needed });
    }
    Ok(())
}

/// Code depends on what was added, not on what was cleared away after it: contract migrations come when the release
/// before is gone, so only the expanding ones count.
fn needed(migrations: &Migrator) -> i64 {
    migrations
        .iter()
        .filter(|migration| migration.migration_type.is_up_migration())
        .filter(|migration| migration.sql.as_str().starts_with("-- tt: phase=expand"))
        .map(|migration| migration.version)
        .max()
        .unwrap_or(0)
}

async fn found(pool: &PgPool, patience: Duration) -> Result<i64, SchemaError> {
    let begun = Instant::now();
    loop {
        match version(pool).await {
            Ok(version) => return Ok(version),
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

async fn version(pool: &PgPool) -> Result<i64, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(APPLIED)
        .fetch_one(pool)
        .await?;
    if !exists {
        return Ok(0);
    }
    sqlx::query_scalar("select coalesce(max(version), 0) from _sqlx_migrations where success")
        .fetch_one(pool)
        .await
}

/// A wrong password stays wrong; a server that starts, or a socket that is not there yet, may come.
fn passes(cause: &sqlx::Error) -> bool {
    match cause.as_database_error() {
        // PostgreSQL manual, appendix A: 57P03 cannot_connect_now, 53300 too_many_connections.
        Some(refusal) => matches!(refusal.code().as_deref(), Some("57P03" | "53300")),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use sqlx::SqlSafeStr;
    use sqlx::migrate::{Migration, MigrationType, Migrator};

    use super::*;

    fn up(version: i64, sql: &'static str) -> Migration {
        Migration::new(
            version,
            "m".into(),
            MigrationType::ReversibleUp,
            sql.into_sql_str(),
            false,
        )
    }

    #[test]
    fn only_expanding_migrations_are_needed() {
        let migrations = Migrator::with_migrations(vec![
            up(1, "-- tt: phase=expand\nselect 1"),
            up(2, "-- tt: phase=expand\nselect 2"),
            up(3, "-- tt: phase=contract\nselect 3"),
        ]);
        assert_eq!(needed(&migrations), 2);
    }

    #[test]
    fn every_migration_of_this_release_names_its_phase_and_has_a_way_back() {
        let migrations = migrations();
        for migration in migrations.iter() {
            assert!(
                migration.sql.as_str().starts_with("-- tt: phase="),
                "{}",
                migration.version
            );
        }
        let count = |up| {
            migrations
                .iter()
                .filter(|migration| migration.migration_type.is_up_migration() == up)
                .count()
        };
        assert_eq!(count(true), count(false));
    }
}

//! The look itself, on one connection, statement by statement.

use sqlx::{ConnectOptions, Connection, PgConnection, Row, postgres::PgConnectOptions};

use crate::{
    amcheck,
    error::{ExamineError, reading},
    fact::{Fact, Pages},
};

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Only what costs users nothing: rows are estimated from PostgreSQL's statistics.
    Glance,
    /// Rows are counted, pages and indexes read. For copies that nobody else uses.
    Full,
}

/// sqlx's table, in whichever schema comes first on the search path.
const MIGRATIONS: &str = "_sqlx_migrations";

/// Looks into the database behind `options` and says each fact as it is found; the last is [`Fact::Examined`].
pub async fn examine(
    options: &PgConnectOptions,
    depth: Depth,
    say: &mut (dyn FnMut(Fact) + Send),
) -> Result<(), ExamineError> {
    let options = options.clone().application_name("tt-examine");
    let mut connection = options.connect().await.map_err(ExamineError::Connect)?;
    let looked = look(&mut connection, depth, say).await;
    // What was read is read: a connection that does not close cleanly changes nothing about it.
    drop(connection.close().await);
    looked
}

async fn look(
    connection: &mut PgConnection,
    depth: Depth,
    say: &mut (dyn FnMut(Fact) + Send),
) -> Result<(), ExamineError> {
    migrations(connection, say).await?;
    tables(connection, depth, say).await?;
    flaws(connection, say).await?;
    let pages = match depth {
        Depth::Glance => Pages::NotDone {
            reason: "only a glance was asked for".to_owned(),
        },
        Depth::Full => amcheck::check(connection).await?,
    };
    let about = sqlx::query("select current_setting('server_version'), pg_database_size(current_database())")
        .fetch_one(connection)
        .await
        .map_err(reading("the server's version"))?;
    let version: String = about.try_get(0).map_err(reading("the server's version"))?;
    say(Fact::Examined {
        server: version.split(' ').next().unwrap_or_default().to_owned(),
        bytes: unsigned(about.try_get(1).map_err(reading("the database's size"))?),
        pages,
    });
    Ok(())
}

async fn migrations(connection: &mut PgConnection, say: &mut (dyn FnMut(Fact) + Send)) -> Result<(), ExamineError> {
    let what = "which migrations are applied";
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(MIGRATIONS)
        .fetch_one(&mut *connection)
        .await
        .map_err(reading(what))?;
    if !exists {
        return Ok(());
    }
    let applied = sqlx::query(
        "select version, description, encode(checksum, 'hex') from _sqlx_migrations where success order by version",
    )
    .fetch_all(connection)
    .await
    .map_err(reading(what))?;
    for row in applied {
        say(Fact::Migration {
            version: row.try_get(0).map_err(reading(what))?,
            name: row.try_get(1).map_err(reading(what))?,
            checksum: row.try_get(2).map_err(reading(what))?,
        });
    }
    Ok(())
}

/// Partitions are counted by themselves, so their parents are left out.
const TABLES: &str = "\
select c.oid::regclass::text, n.nspname || '.' || c.relname, greatest(c.reltuples, 0)::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname not like 'pg\\_%' and n.nspname <> 'information_schema'
order by 2";

async fn tables(
    connection: &mut PgConnection,
    depth: Depth,
    say: &mut (dyn FnMut(Fact) + Send),
) -> Result<(), ExamineError> {
    let what = "the rows of the tables";
    let found = sqlx::query(TABLES)
        .fetch_all(&mut *connection)
        .await
        .map_err(reading("the tables"))?;
    for row in found {
        let quoted: String = row.try_get(0).map_err(reading(what))?;
        let estimate: i64 = row.try_get(2).map_err(reading(what))?;
        let rows = match depth {
            Depth::Glance => estimate,
            // The name comes from PostgreSQL itself, quoted as it needs to be.
            Depth::Full => sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {quoted}")))
                .fetch_one(&mut *connection)
                .await
                .map_err(reading(what))?,
        };
        say(Fact::Table {
            table: row.try_get(1).map_err(reading(what))?,
            rows: unsigned(rows),
        });
    }
    Ok(())
}

const UNVALIDATED: &str = "\
select n.nspname || '.' || t.relname || '.' || c.conname
from pg_constraint c join pg_class t on t.oid = c.conrelid join pg_namespace n on n.oid = t.relnamespace
where not c.convalidated and n.nspname not like 'pg\\_%' order by 1";

const INVALID: &str = "\
select n.nspname || '.' || c.relname
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
where not i.indisvalid and c.relkind = 'i' and n.nspname not like 'pg\\_%' order by 1";

async fn flaws(connection: &mut PgConnection, say: &mut (dyn FnMut(Fact) + Send)) -> Result<(), ExamineError> {
    let constraints: Vec<String> = sqlx::query_scalar(UNVALIDATED)
        .fetch_all(&mut *connection)
        .await
        .map_err(reading("the constraints"))?;
    for name in constraints {
        say(Fact::UnvalidatedConstraint { name });
    }
    let indexes: Vec<String> = sqlx::query_scalar(INVALID)
        .fetch_all(connection)
        .await
        .map_err(reading("the indexes"))?;
    for name in indexes {
        say(Fact::InvalidIndex { name });
    }
    Ok(())
}

/// Counts and sizes are never negative.
fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

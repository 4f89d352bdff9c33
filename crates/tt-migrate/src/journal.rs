//! Two tables in the database: sqlx's list of what is applied, and our journal beside it.
//!
//! The list stays what sqlx makes of it, so that a database goes over from sqlx to this engine and back. The journal adds
//! what the list lacks: phase, whom a step breaks, the digest of the way back, and, written before a step that no
//! transaction protects, that it has begun. Reading creates nothing.

use sqlx::{AssertSqlSafe, PgConnection, Postgres, SqlSafeStr, migrate::Migrate, postgres::PgArguments, query::Query};

use crate::{
    failure::Failure,
    history::{Entry, History, Record},
    load::{Migration, Migrations},
    phase::Version,
};

/// sqlx's default.
pub(crate) const APPLIED: &str = "_sqlx_migrations";

const CREATE: &str = "
create table if not exists _tt_migrations (
    version       bigint      primary key,
    name          text        not null,
    phase         text        not null,
    breaks_below  bigint,
    direction     text        not null,
    statement     text,
    up_sha256     bytea       not null,
    down_sha256   bytea       not null,
    backend_pid   integer     not null default pg_backend_pid(),
    cursor        text,
    rows_done     bigint      not null default 0,
    started_at    timestamptz not null default clock_timestamp(),
    finished_at   timestamptz
)";

/// Reads both tables; a table that is not there is empty.
pub(crate) async fn read(connection: &mut PgConnection) -> Result<History, Failure> {
    let failed = || Failure::query("read which migrations are applied");
    let (applied, journal): (bool, bool) =
        sqlx::query_as("select to_regclass('_sqlx_migrations') is not null, to_regclass('_tt_migrations') is not null")
            .fetch_one(&mut *connection)
            .await
            .map_err(failed())?;
    let records: Vec<(i64, String, bool, Vec<u8>)> = if applied {
        sqlx::query_as("select version, description, success, checksum from _sqlx_migrations order by version")
            .fetch_all(&mut *connection)
            .await
            .map_err(failed())?
    } else {
        Vec::new()
    };
    let entries: Vec<Row> = if journal {
        sqlx::query_as(
            "select version, name, breaks_below, up_sha256, down_sha256, backend_pid, finished_at is not null, \
             direction = 'down', cursor, rows_done from _tt_migrations order by version",
        )
        .fetch_all(&mut *connection)
        .await
        .map_err(failed())?
    } else {
        Vec::new()
    };
    Ok(History {
        tables: match (applied, journal) {
            (true, true) => Tables::There,
            (true, false) | (false, _) => Tables::Missing,
        },
        records: records.into_iter().map(record).collect(),
        entries: entries.into_iter().map(entry).collect(),
    })
}

/// Whether the tables are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Tables {
    There,
    #[default]
    Missing,
}

type Row = (
    i64,
    String,
    Option<i64>,
    Vec<u8>,
    Vec<u8>,
    i32,
    bool,
    bool,
    Option<String>,
    i64,
);

fn record((version, name, success, checksum): (i64, String, bool, Vec<u8>)) -> Record {
    Record {
        version: Version::new(version),
        name,
        success,
        checksum,
    }
}

fn entry((version, name, below, up, down, pid, finished, undoing, cursor, rows): Row) -> Entry {
    Entry {
        version: Version::new(version),
        name,
        breaks_below: below.map(Version::new),
        up_sha256: up,
        down_sha256: down,
        backend_pid: pid,
        finished,
        undoing,
        cursor,
        rows,
    }
}

/// Creates what is missing.
pub(crate) async fn ensure(connection: &mut PgConnection, tables: Tables) -> Result<(), Failure> {
    if tables == Tables::There {
        return Ok(());
    }
    let failed = |error: sqlx::Error| Failure::query("create the tables of applied migrations")(error);
    connection
        .ensure_migrations_table(APPLIED)
        .await
        .map_err(|error| failed(*crate::failure::Cause::from(error).0))?;
    sqlx::query(CREATE).execute(connection).await.map_err(failed)?;
    Ok(())
}

/// Takes over what sqlx alone has applied: from here on its way back is known.
pub(crate) async fn adopt(
    connection: &mut PgConnection,
    migrations: &Migrations,
    history: &History,
) -> Result<(), Failure> {
    for record in history
        .records
        .iter()
        .filter(|record| history.entry(record.version).is_none())
    {
        if let Some(migration) = migrations.get(record.version) {
            finished(connection, migration)
                .await
                .map_err(Failure::query("take over a migration that sqlx applied"))?;
        }
    }
    Ok(())
}

/// Writes into the journal that a step is applied.
pub(crate) async fn finished(connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    write(connection, migration, "up", None, Stage::Finished).await
}

/// Writes into both tables that a step is applied, in the transaction of the step. One statement, and a plain one: a release
/// may have hundreds of small steps, and each question takes its time. What the journal says of such a step from before is
/// forgotten first ([`forget`]).
pub(crate) async fn recorded(connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    let both = format!(
        "with journal as ({INSERT}) \
         insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values ($1, $2, true, $10, {UNTIMED})"
    );
    journalled(AssertSqlSafe(both), migration, "up", None, Stage::Finished)
        .bind(migration.up.checksum())
        .execute(connection)
        .await
        .map(drop)
}

/// Writes that a step begins that no transaction protects.
pub(crate) async fn begun(
    connection: &mut PgConnection,
    migration: &Migration,
    direction: &str,
    statement: &str,
) -> Result<(), sqlx::Error> {
    write(connection, migration, direction, Some(statement), Stage::Begun).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Begun,
    Finished,
}

const INSERT: &str = "insert into _tt_migrations \
    (version, name, phase, breaks_below, direction, statement, up_sha256, down_sha256, finished_at) \
    values ($1, $2, $3, $4, $5, $6, $7, $8, case when $9 then clock_timestamp() end)";

const OVER_AN_EARLIER_ONE: &str = "on conflict (version) do update set \
    direction = excluded.direction, statement = excluded.statement, \
    backend_pid = pg_backend_pid(), started_at = clock_timestamp(), finished_at = excluded.finished_at";

/// What sqlx writes until it knows how long a step took. Nobody asks, so it stays: events say what a step took.
const UNTIMED: i64 = -1;

async fn write(
    connection: &mut PgConnection,
    migration: &Migration,
    direction: &str,
    statement: Option<&str>,
    stage: Stage,
) -> Result<(), sqlx::Error> {
    let sql = format!("{INSERT} {OVER_AN_EARLIER_ONE}");
    journalled(AssertSqlSafe(sql), migration, direction, statement, stage)
        .execute(connection)
        .await
        .map(drop)
}

/// A statement that begins with [`INSERT`]'s parameters.
fn journalled<'q>(
    sql: impl SqlSafeStr,
    migration: &'q Migration,
    direction: &'q str,
    statement: Option<&'q str>,
    stage: Stage,
) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(sql)
        .bind(migration.version.number())
        .bind(&migration.name)
        .bind(migration.phase.as_str())
        .bind(migration.breaks_below.map(Version::number))
        .bind(direction)
        .bind(statement)
        .bind(migration.up.digest())
        .bind(migration.down.digest())
        .bind(stage == Stage::Finished)
}

/// Records a step that was carried out by itself, in both tables at once.
pub(crate) async fn applied(connection: &mut PgConnection, migration: &Migration) -> Result<(), sqlx::Error> {
    let both = format!(
        "with journal as (update _tt_migrations set finished_at = clock_timestamp(), cursor = null where version = $1) \
         insert into _sqlx_migrations (version, description, success, checksum, execution_time) \
         values ($1, $2, true, $3, {UNTIMED})"
    );
    sqlx::query(AssertSqlSafe(both))
        .bind(migration.version.number())
        .bind(&migration.name)
        .bind(migration.up.checksum())
        .execute(connection)
        .await
        .map(drop)
}

/// Forgets a step, in both tables at once.
pub(crate) async fn undone(connection: &mut PgConnection, version: Version) -> Result<(), sqlx::Error> {
    sqlx::query(
        "with journal as (delete from _tt_migrations where version = $1) delete from _sqlx_migrations where version = $1",
    )
    .bind(version.number())
    .execute(connection)
    .await
    .map(drop)
}

/// Forgets that a step was begun.
pub(crate) async fn forget(connection: &mut PgConnection, version: Version) -> Result<(), sqlx::Error> {
    sqlx::query("delete from _tt_migrations where version = $1")
        .bind(version.number())
        .execute(connection)
        .await
        .map(drop)
}

/// Remembers how far a backfill has come, in the transaction of the batch.
pub(crate) async fn advance(
    connection: &mut PgConnection,
    version: Version,
    cursor: &str,
    rows: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("update _tt_migrations set cursor = $2, rows_done = rows_done + $3 where version = $1")
        .bind(version.number())
        .bind(cursor)
        .bind(i64::try_from(rows).unwrap_or(i64::MAX))
        .execute(connection)
        .await
        .map(drop)
}

//! What there is in a database: tables, sequences, materialized views; what belongs to an extension comes with the extension.

use sqlx::Row as _;
use sqlx::postgres::{PgConnection, PgRow};

use crate::error::ExportError;
use crate::manifest::Sequence;
use crate::source::run;

/// Schemas of users; objects that an extension brought are left out.
const OURS: &str = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";
const NAME: &str = "quote_ident(n.nspname) || '.' || quote_ident(c.relname)";
const CLASSES: &str = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace";

/// A table with rows of its own; a partitioned table has none, its partitions have.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    pub(crate) bytes: u64,
    pub(crate) page: u64,
}

pub(crate) async fn tables(connection: &mut PgConnection) -> Result<Vec<Found>, ExportError> {
    let statement = format!(
        "SELECT {NAME}, pg_relation_size(c.oid), current_setting('block_size')::bigint, \
         ARRAY(SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 \
         AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum) \
         {CLASSES} WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND {OURS} ORDER BY 1"
    );
    let read = |row: &PgRow| {
        Ok(Found {
            name: row.try_get(0)?,
            bytes: row.try_get::<i64, _>(1)?.unsigned_abs(),
            page: row.try_get::<i64, _>(2)?.unsigned_abs(),
            columns: row.try_get(3)?,
        })
    };
    let rows = all(connection, "list the tables", statement).await?;
    rows.iter()
        .map(read)
        .collect::<Result<_, sqlx::Error>>()
        .map_err(ExportError::database("list the tables"))
}

pub(crate) async fn sequences(connection: &mut PgConnection) -> Result<Vec<Sequence>, ExportError> {
    let action = "read the sequences";
    let names = names(connection, action, "S").await?;
    let mut sequences = Vec::with_capacity(names.len());
    for name in names {
        let statement = format!("SELECT last_value, is_called FROM {name}");
        let rows = all(connection, action, statement).await?;
        for row in rows {
            sequences.push(Sequence {
                name: name.clone(),
                last_value: row.try_get(0).map_err(ExportError::database(action))?,
                is_called: row.try_get(1).map_err(ExportError::database(action))?,
            });
        }
    }
    Ok(sequences)
}

/// Those that were filled, in the order in which they were made, so that one comes after those it reads.
pub(crate) async fn materialized_views(connection: &mut PgConnection) -> Result<Vec<String>, ExportError> {
    let action = "list the materialized views";
    let statement =
        format!("SELECT {NAME} {CLASSES} WHERE c.relkind = 'm' AND c.relispopulated AND {OURS} ORDER BY c.oid");
    texts(action, &all(connection, action, statement).await?)
}

/// Tables whose rows are elsewhere or computed: partitioned ones, and materialized views that are filled.
pub(crate) async fn computed(connection: &mut PgConnection) -> Result<Vec<String>, ExportError> {
    let action = "list what is partitioned or computed";
    let statement = format!(
        "SELECT {NAME} {CLASSES} WHERE (c.relkind = 'p' OR c.relkind = 'm' AND c.relispopulated) AND {OURS} ORDER BY 1"
    );
    texts(action, &all(connection, action, statement).await?)
}

/// Whatever a restore could meet: tables, views, sequences, and types that are not theirs.
pub(crate) async fn obstacles(connection: &mut PgConnection) -> Result<Vec<String>, ExportError> {
    let action = "look whether the target is empty";
    let statement = format!(
        "SELECT {NAME} {CLASSES} WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND {OURS} ORDER BY 1 LIMIT 5"
    );
    texts(action, &all(connection, action, statement).await?)
}

pub(crate) async fn large_objects(connection: &mut PgConnection) -> Result<i64, ExportError> {
    let action = "count the large objects";
    let rows = all(
        connection,
        action,
        "SELECT count(*) FROM pg_largeobject_metadata".to_owned(),
    )
    .await?;
    let count = rows.first().map_or(Ok(0), |row| row.try_get(0));
    count.map_err(ExportError::database(action))
}

/// `15.4 (Debian …)` without what is behind the number, and the number as PostgreSQL compares it.
pub(crate) async fn version(connection: &mut PgConnection) -> Result<(String, i32), ExportError> {
    let action = "ask the server for its version";
    let statement =
        "SELECT split_part(current_setting('server_version'), ' ', 1), current_setting('server_version_num')::int";
    let rows = all(connection, action, statement.to_owned()).await?;
    let read = |row: &PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
    let read = rows.first().map_or(Err(sqlx::Error::RowNotFound), read);
    read.map_err(ExportError::database(action))
}

/// A database of the server.
pub(crate) struct Database {
    /// What somebody wrote about it.
    pub(crate) comment: Option<String>,
    /// Clients that are connected to it.
    pub(crate) sessions: i64,
}

pub(crate) async fn database(connection: &mut PgConnection, name: &str) -> Result<Option<Database>, ExportError> {
    let action = "look which databases there are";
    let row = sqlx::query(
        "SELECT shobj_description(d.oid, 'pg_database'), \
         (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid AND a.backend_type = 'client backend') \
         FROM pg_database d WHERE d.datname = $1",
    )
    .bind(name)
    .fetch_optional(connection)
    .await
    .map_err(ExportError::database(action))?;
    let read = |row: PgRow| {
        Ok(Database {
            comment: row.try_get(0)?,
            sessions: row.try_get(1)?,
        })
    };
    row.map(read).transpose().map_err(ExportError::database(action))
}

pub(crate) async fn count(connection: &mut PgConnection, table: &str) -> Result<u64, ExportError> {
    let action = format!("count the rows of `{table}`");
    let rows = all(connection, &action, format!("SELECT count(*) FROM ONLY {table}")).await?;
    let count: Result<i64, sqlx::Error> = rows.first().map_or(Ok(0), |row| row.try_get(0));
    count.map(i64::unsigned_abs).map_err(ExportError::database(action))
}

/// Shows other connections what this one sees, for as long as its transaction is open.
pub(crate) async fn share_snapshot(connection: &mut PgConnection) -> Result<String, ExportError> {
    let action = "take a snapshot";
    run(connection, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
        .map_err(ExportError::database(action))?;
    let rows = all(connection, action, "SELECT pg_export_snapshot()".to_owned()).await?;
    texts(action, &rows)?
        .pop()
        .ok_or(sqlx::Error::RowNotFound)
        .map_err(ExportError::database(action))
}

async fn names(connection: &mut PgConnection, action: &str, kind: &str) -> Result<Vec<String>, ExportError> {
    let statement = format!("SELECT {NAME} {CLASSES} WHERE c.relkind = '{kind}' AND {OURS} ORDER BY 1");
    texts(action, &all(connection, action, statement).await?)
}

fn texts(action: &str, rows: &[PgRow]) -> Result<Vec<String>, ExportError> {
    let texts: Result<_, sqlx::Error> = rows.iter().map(|row| row.try_get(0)).collect();
    texts.map_err(ExportError::database(action))
}

async fn all(connection: &mut PgConnection, action: &str, statement: String) -> Result<Vec<PgRow>, ExportError> {
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .fetch_all(connection)
        .await
        .map_err(ExportError::database(action))
}

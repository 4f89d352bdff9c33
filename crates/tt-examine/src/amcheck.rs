//! Pages and indexes, by PostgreSQL's extension `amcheck`: what the program `pg_amcheck` calls, without the program.

use sqlx::{PgConnection, Row};

use crate::{
    error::{ExamineError, reading},
    fact::Pages,
};

/// So many findings tell that something is wrong; more tell nothing more.
const SHOWN: usize = 10;

pub(crate) async fn check(connection: &mut PgConnection) -> Result<Pages, ExamineError> {
    if let Some(reason) = unavailable(connection).await? {
        return Ok(Pages::NotDone { reason });
    }
    let mut findings = Vec::new();
    let Some(indexes) = indexes(connection, &mut findings).await else {
        return Ok(not_allowed());
    };
    let Some(tables) = tables(connection, &mut findings).await else {
        return Ok(not_allowed());
    };
    if findings.is_empty() {
        return Ok(Pages::Sound { tables, indexes });
    }
    findings.truncate(SHOWN);
    Ok(Pages::Damaged { findings })
}

fn not_allowed() -> Pages {
    Pages::NotDone {
        reason: "the extension amcheck is there, and this login may not use it".to_owned(),
    }
}

/// Creates the extension where it is missing; gives why there is none.
async fn unavailable(connection: &mut PgConnection) -> Result<Option<String>, ExamineError> {
    let what = "which extensions there are";
    let available: bool =
        sqlx::query_scalar("select exists (select from pg_available_extensions where name = 'amcheck')")
            .fetch_one(&mut *connection)
            .await
            .map_err(reading(what))?;
    if !available {
        return Ok(Some("the server does not offer the extension amcheck".to_owned()));
    }
    let created: bool = sqlx::query_scalar("select exists (select from pg_extension where extname = 'amcheck')")
        .fetch_one(&mut *connection)
        .await
        .map_err(reading(what))?;
    if created {
        return Ok(None);
    }
    match sqlx::query("create extension if not exists amcheck")
        .execute(connection)
        .await
    {
        Ok(_) => Ok(None),
        Err(refused) => Ok(Some(format!("the extension amcheck could not be created: {refused}"))),
    }
}

/// B-tree indexes of ordinary tables, each compared with its table row by row. `None` when this login may not.
const INDEXES: &str = "\
select c.oid::bigint, c.oid::regclass::text
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_am a on a.oid = c.relam
join pg_namespace n on n.oid = c.relnamespace
where a.amname = 'btree' and c.relkind = 'i' and c.relpersistence = 'p' and i.indisvalid and i.indisready
and n.nspname not like 'pg\\_%'";

async fn indexes(connection: &mut PgConnection, findings: &mut Vec<String>) -> Option<u64> {
    let found = sqlx::query(INDEXES).fetch_all(&mut *connection).await.ok()?;
    let mut checked = 0;
    for row in found {
        let (oid, name): (i64, String) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
        let looked = sqlx::query("select bt_index_check(index => $1::bigint::oid::regclass, heapallindexed => true)")
            .bind(oid)
            .execute(&mut *connection)
            .await;
        match looked {
            Ok(_) => checked += 1,
            Err(error) if may_not(&error) => return None,
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    Some(checked)
}

/// Tables, every page and every row of them; `verify_heapam` is there from PostgreSQL 14 on.
const TABLES: &str = "\
select c.oid::bigint, c.oid::regclass::text
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_am a on a.oid = c.relam
where c.relkind = 'r' and c.relpersistence = 'p' and a.amname = 'heap' and n.nspname not like 'pg\\_%'
and n.nspname <> 'information_schema'";

async fn tables(connection: &mut PgConnection, findings: &mut Vec<String>) -> Option<u64> {
    let found = sqlx::query(TABLES).fetch_all(&mut *connection).await.ok()?;
    let mut checked = 0;
    for row in found {
        let (oid, name): (i64, String) = (row.try_get(0).ok()?, row.try_get(1).ok()?);
        let said = sqlx::query_scalar::<_, String>("select msg from verify_heapam($1::bigint::oid::regclass)")
            .bind(oid)
            .fetch_all(&mut *connection)
            .await;
        match said {
            Ok(said) => {
                checked += 1;
                findings.extend(said.into_iter().map(|what| format!("{name}: {what}")));
            }
            Err(error) if may_not(&error) => return None,
            Err(error) => findings.push(format!("{name}: {error}")),
        }
    }
    Some(checked)
}

/// PostgreSQL manual, appendix A: 42501 `insufficient_privilege`, 42883 `undefined_function`.
fn may_not(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code)
        .is_some_and(|code| matches!(code.as_ref(), "42501" | "42883"))
}

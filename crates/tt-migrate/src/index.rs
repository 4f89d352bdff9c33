//! Indexes that a concurrent build left behind, and constraints that were never validated. Looks only.

use sqlx::PgConnection;

use crate::relation::Relation;

/// How an index stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Absent,
    Invalid,
    Valid,
}

pub(crate) async fn state(connection: &mut PgConnection, index: &Relation) -> Result<State, sqlx::Error> {
    let valid: Option<bool> = sqlx::query_scalar("select indisvalid from pg_index where indexrelid = to_regclass($1)")
        .bind(index.quoted())
        .fetch_optional(connection)
        .await?;
    Ok(match valid {
        None => State::Absent,
        Some(false) => State::Invalid,
        Some(true) => State::Valid,
    })
}

/// All INVALID indexes that nobody is building at the moment. An index of a partitioned table is INVALID until all its parts
/// have one, which is no accident, so only those of plain tables count.
pub(crate) async fn invalid(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select indexrelid::regclass::text from pg_index join pg_class on pg_class.oid = indexrelid \
         where not indisvalid and relkind = 'i' and relnamespace not in \
         (select oid from pg_namespace where nspname like 'pg\\_%' or nspname = 'information_schema') \
         and not exists (select from pg_stat_progress_create_index building where building.index_relid = indexrelid) \
         order by 1",
    )
    .fetch_all(connection)
    .await
}

/// What a cut-off `reindex concurrently` leaves beside an index, or beside the indexes of a table.
pub(crate) async fn leftovers(connection: &mut PgConnection, target: &Relation) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select indexrelid::regclass::text from pg_index join pg_class on pg_class.oid = indexrelid \
         where not indisvalid and relname ~ '_cc(new|old)[0-9]*$' and indrelid in (select to_regclass($1)::oid \
         union select of.indrelid from pg_index of where of.indexrelid = to_regclass($1)) order by 1",
    )
    .bind(target.quoted())
    .fetch_all(connection)
    .await
}

pub(crate) async fn is_validated(
    connection: &mut PgConnection,
    table: &Relation,
    constraint: &str,
) -> Result<bool, sqlx::Error> {
    let validated: Option<bool> =
        sqlx::query_scalar("select convalidated from pg_constraint where conrelid = to_regclass($1) and conname = $2")
            .bind(table.quoted())
            .bind(constraint)
            .fetch_optional(connection)
            .await?;
    Ok(validated.unwrap_or(false))
}

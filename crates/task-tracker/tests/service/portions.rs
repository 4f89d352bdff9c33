//! Statements that take more than their portion, refused by the database.
//!
//! What is done in portions has the same end when a statement takes everything at once; the difference is how long others wait for
//! it. So a test says how many rows a statement may take, and one that takes more fails.

use sqlx::{AssertSqlSafe, PgConnection};

/// From now on a statement that changes or deletes more rows of these tables than this fails.
pub(crate) async fn at_most(connection: &mut PgConnection, rows: u32, tables: &[&str]) {
    let triggers: Vec<String> = ["update", "delete"]
        .iter()
        .flat_map(|deed| tables.iter().map(move |table| (deed, table)))
        .map(|(deed, table)| {
            format!(
                "create trigger at_most_{deed} after {deed} on {table} referencing old table as taken
                 for each statement execute function at_most({rows});"
            )
        })
        .collect();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create or replace function at_most() returns trigger language plpgsql as $$
         begin
             if (select count(*) from taken) > tg_argv[0]::bigint then
                 raise exception 'too many rows of % at once: %', tg_table_name, (select count(*) from taken);
             end if;
             return null;
         end
         $$;
         {}",
        triggers.concat()
    )))
    .execute(connection)
    .await
    .unwrap();
}

//! All that a database holds of one tenant, whatever table it is in: to see that nothing of it was changed, or what.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

/// The ids by which its rows are known: each has one of these in it.
pub(crate) struct Tenant(Vec<String>);

impl Tenant {
    pub(crate) fn of<'a>(ids: impl IntoIterator<Item = &'a str>) -> Self {
        Self(ids.into_iter().map(|id| format!("%{id}%")).collect())
    }

    pub(crate) fn and(mut self, id: &str) -> Self {
        self.0.push(format!("%{id}%"));
        self
    }
}

/// Of each table, how many rows there are of it, and a digest of all that is in them, versions included.
pub(crate) type Held = BTreeMap<String, (i64, String)>;

/// What is there at one moment. Left out is how often somebody tried.
pub(crate) async fn held(connection: &mut PgConnection, tenant: &Tenant) -> Held {
    let tables: Vec<String> = sqlx::query_scalar(
        "select quote_ident(relname) from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'throttles'",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    assert!(tables.iter().any(|table| table == "tasks"));
    let of_one = |table: &String| {
        format!(
            "select '{table}', count(*), coalesce(md5(string_agg(it::text, E'\\n' order by it::text)), '')
             from {table} as it where it::text like any($1)"
        )
    };
    let all: Vec<String> = tables.iter().map(of_one).collect();
    let rows: Vec<(String, i64, String)> = sqlx::query_as(AssertSqlSafe(all.join(" union all ")))
        .bind(&tenant.0)
        .fetch_all(connection)
        .await
        .unwrap();
    rows.into_iter()
        .map(|(table, count, digest)| (table, (count, digest)))
        .collect()
}

/// How many rows more a table has than before, for each that is not as it was.
pub(crate) fn changes(before: &Held, after: &Held) -> BTreeMap<String, i64> {
    let changed = after.iter().filter(|(table, held)| before[*table] != **held);
    changed
        .map(|(table, (count, _))| (table.clone(), count - before[table].0))
        .collect()
}

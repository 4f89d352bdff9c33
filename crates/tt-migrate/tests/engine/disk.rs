//! A full disk under a migration: what PostgreSQL could not write is gone, what it had written stays, and the next run goes on.

use std::io::Write;

use tt_migrate::{Event, Found};

use crate::{
    cluster::Database,
    release::{Told, release, up},
};

/// Each by itself: they fill one disk of 4 MB.
#[tokio::test]
async fn a_full_disk_is_named_and_nothing_is_lost() {
    let database = match Database::with_a_small_disk().await {
        Ok(database) => database,
        Err(why) => {
            // Past the test's own capture: a test that proves nothing has to say so.
            let line =
                format!("SKIPPED a_full_disk_is_named_and_nothing_is_lost: this user may not mount a disk: {why}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return;
        }
    };
    in_a_transaction(&database).await;
    outside_a_transaction(&database).await;
    in_a_backfill(&database).await;
}

fn full(told: &Told) {
    assert_eq!(told.code(), 6);
    assert!(
        told.error().contains("No space left on device") && told.error().ends_with("[SQLSTATE 53100]"),
        "{}",
        told.error()
    );
    assert!(
        told.hint().starts_with("the database's disk is full"),
        "{}",
        told.hint()
    );
}

async fn in_a_transaction(database: &Database) {
    let copy = |rows: u32| {
        let up = format!(
            "alter table t add b int;\ncreate table n tablespace small as select g, repeat('x', 1000) from generate_series(1, {rows}) g"
        );
        release(&[("0001_n", &up, "drop table n;\nalter table t drop b")])
    };
    database
        .execute("create table t (id bigint primary key); insert into t values (1), (2)")
        .await;
    let told = up(database, &copy(10_000)).await;
    full(&told);
    assert_eq!(
        database
            .number("select (select count(*) from t) + (select count(*) from information_schema.columns where table_name in ('t', 'n'))")
            .await,
        3,
        "two rows, and one column: `b` is gone with `n`"
    );
    // Its room is free again.
    up(database, &copy(1_000)).await.well();
    database
        .execute("drop table n, t, _sqlx_migrations, _tt_migrations")
        .await;
}

async fn outside_a_transaction(database: &Database) {
    database
        .execute("create table t (id bigint primary key); insert into t select generate_series(1, 300000)")
        .await;
    let migrations = release(&[(
        "0001_i",
        "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (id) tablespace small",
        "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i",
    )]);
    let told = up(database, &migrations).await;
    full(&told);
    assert!(told.any(|event| matches!(event, Event::Cleaned { .. })));
    assert_eq!(
        database
            .number(
                "select (select count(*) from pg_class where relname = 'i') + (select count(*) from _tt_migrations)"
            )
            .await,
        0
    );
    database.execute("delete from t where id > 1000").await;
    database.execute("vacuum t").await;
    up(database, &migrations).await.well();
    database.execute("drop table t, _sqlx_migrations, _tt_migrations").await;
}

async fn in_a_backfill(database: &Database) {
    database
        .execute(
            "create table ballast tablespace small as select repeat('x', 1000) from generate_series(1, 1200);\
             create table t (id bigint primary key, b int not null default 0, note text) tablespace small;\
             insert into t select g, 0, repeat('x', 1000) from generate_series(1, 1500) g",
        )
        .await;
    // Adding one shows a row that is met twice.
    let migrations = release(&[(
        "0001_fill",
        "-- tt: phase=backfill batch=100\nupdate t set b = b + 1",
        "-- tt: phase=expand\n",
    )]);
    let told = up(database, &migrations).await;
    full(&told);
    let done = database.number("select count(*) from t where b = 1").await;
    assert!((1..1500).contains(&done), "{done}");
    assert!(
        told.error()
            .starts_with(&format!("migration 0001 stopped after {done} rows, which stay changed")),
        "{}",
        told.error()
    );

    database.execute("drop table ballast").await;
    let told = up(database, &migrations).await.well();
    assert!(told.any(|event| matches!(
        event,
        Event::Resumed {
            found: Found::Halfway,
            ..
        }
    )));
    assert_eq!(
        database
            .number("select count(*) from t where b = 1 having sum(b) = 1500")
            .await,
        1500
    );
}

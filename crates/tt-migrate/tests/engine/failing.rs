//! Migrations that fail: nothing half done is left, and the next run finds the way free.

use std::time::Duration;

use tt_fixture::way::{Terrain, Way};
use tt_migrate::{Event, Failure, Limits, Phase, Resume};

use crate::{
    cluster::Database,
    release::{Log, limits, release, up, up_by, up_with},
};

#[tokio::test]
async fn one_that_fails_in_a_transaction_leaves_nothing_and_frees_the_way() {
    let database = Database::empty().await;
    let broken = release(&[
        ("0001_a", "create table a (id int)", "drop table a"),
        ("0002_b", "create table b (id int);\nselect 1 / 0", "drop table b"),
    ]);
    let told = up(&database, &broken).await;
    assert_eq!((told.code(), told.finished()), (6, vec![1]));
    assert!(
        told.error().contains("0002_b.up.sql") && told.error().contains("division by zero [SQLSTATE 22012]"),
        "{}",
        told.error()
    );
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname = 'b'")
            .await,
        0
    );
    // The session's end gives the lock back, which the server notices a moment after we have left.
    crate::release::until("the lock is free", async || {
        database
            .number("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())")
            .await
            == 0
    })
    .await;

    let mended = release(&[
        ("0001_a", "create table a (id int)", "drop table a"),
        ("0002_b", "create table b (id int)", "drop table b"),
    ]);
    assert_eq!(up(&database, &mended).await.well().finished(), [2]);
}

#[tokio::test]
async fn one_that_fails_outside_a_transaction_is_cleaned_up_after() {
    let database = Database::with_rows(10).await;
    database.execute("update t set a = 1").await;
    let migrations = release(&[(
        "0001_i",
        "-- no-transaction\n-- tt: phase=expand\ncreate unique index concurrently i on t (a)",
        "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i",
    )]);
    let told = up(&database, &migrations).await;
    assert_eq!(told.code(), 6, "{}", told.error());
    assert!(told.any(|event| matches!(event, Event::Cleaned { .. })));
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname = 'i'")
            .await,
        0
    );
    assert_eq!(database.number("select count(*) from _tt_migrations").await, 0);

    database.execute("update t set a = id").await;
    assert_eq!(up(&database, &migrations).await.well().finished(), [1]);
}

#[tokio::test]
async fn a_statement_that_keeps_users_waiting_for_too_long_is_stopped() {
    let database = Database::with_rows(100).await;
    database
        .execute("create function slow() returns int language plpgsql volatile as 'begin perform pg_sleep(0.05); return 1; end'")
        .await;
    let migrations = release(&[(
        "0001_b",
        "alter table t add b int default slow()",
        "alter table t drop b",
    )]);
    let limits = Limits {
        blocking: Duration::from_millis(200),
        ..limits()
    };
    let told = up_with(&database, &migrations, &limits, &Phase::ALL, Resume::No).await;
    assert_eq!(told.code(), 6);
    assert!(matches!(told.outcome, Err(Failure::TooLong { .. })), "{}", told.error());
    assert_eq!(database.number("select count(*) from _sqlx_migrations").await, 0);
}

#[tokio::test]
async fn a_database_that_goes_away_and_comes_back_is_waited_for() {
    let database = Database::with_rows(400).await;
    database.execute("alter table t add b int").await;
    let migrations = release(&[(
        "0001_b",
        "-- tt: phase=backfill batch=50\nupdate t set b = a",
        "-- tt: phase=contract\n",
    )]);
    let way = Way::to_the_database(Terrain::Plain);
    let (target, limits, log) = (database.target_by(way.address), limits(), Log::default());
    let run = up_by(&target, &migrations, &limits, &Phase::ALL, Resume::No, &log);
    let weather = async {
        crate::release::until("a batch is done", async || {
            log.any(|event| matches!(event, Event::Batch { .. }))
        })
        .await;
        way.cut();
        crate::release::until("the outage is noticed", async || {
            log.any(|event| matches!(event, Event::Reconnecting { .. }))
        })
        .await;
        way.mend();
    };
    let (told, ()) = tokio::join!(run, weather);
    let told = told.well();
    assert_eq!(told.finished(), [1]);
    assert_eq!(database.number("select count(*) from t where b = a").await, 400);
    // No row was changed twice: each batch and its cursor are one transaction.
    let rows = database.number("select rows_done from _tt_migrations").await;
    assert_eq!(rows, 400);
}

#[tokio::test]
async fn a_pooler_is_refused() {
    let database = Database::empty().await;
    let way = Way::to_the_database(Terrain::WithoutOptions);
    let migrations = release(&[("0001_a", "create table a (id int)", "drop table a")]);
    let target = database.target_by(way.address);
    let told = up_by(
        &target,
        &migrations,
        &limits(),
        &Phase::ALL,
        Resume::No,
        &Log::default(),
    )
    .await;
    assert_eq!(told.code(), 4);
    assert!(matches!(told.outcome, Err(Failure::Pooler { .. })), "{}", told.error());
}

#[tokio::test]
async fn a_database_that_was_never_there_is_not_waited_for() {
    let database = Database::empty().await;
    let way = Way::to_the_database(Terrain::Plain);
    way.cut();
    let target = database.target_by(way.address);
    let migrations = release(&[("0001_a", "create table a (id int)", "drop table a")]);
    let told = up_by(
        &target,
        &migrations,
        &limits(),
        &Phase::ALL,
        Resume::No,
        &Log::default(),
    )
    .await;
    assert_eq!(told.code(), 1, "{}", told.error());
}

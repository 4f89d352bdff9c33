//! Indexes that are built beside the users, and what other runners and earlier tries do to that.

use sqlx::Connection;
use tt_migrate::{Event, Failure};

use crate::{
    cluster::{Database, execute},
    release::{Log, limits, release, until, up, up_by},
};

const BUILD: &str = "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently if not exists i on t (a)";
const DROP: &str = "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i";

#[tokio::test]
async fn a_second_runner_that_waits_does_not_end_the_build_of_the_first() {
    let database = Database::with_rows(100).await;
    let migrations = release(&[("0001_i", BUILD, DROP)]);
    // The build waits for whoever wrote to the table before it began, so both runners are there at once.
    let mut writer = database.connect().await;
    execute(&mut writer, "begin; update t set a = 0 where id = 1").await;
    let (target, limits) = (database.target(), limits());
    let (first, second) = (Log::default(), Log::default());
    let phases = tt_migrate::Phase::ALL;
    let runs = async {
        tokio::join!(
            up_by(&target, &migrations, &limits, &phases, tt_migrate::Resume::No, &first),
            up_by(&target, &migrations, &limits, &phases, tt_migrate::Resume::No, &second),
        )
    };
    let writing = async {
        let waits = |log: &Log| log.any(|event| matches!(event, Event::WaitingForTurn { .. }));
        until("one waits for the other", async || waits(&first) || waits(&second)).await;
        until("the build has begun", async || {
            database
                .number("select count(*) from pg_stat_progress_create_index where datname = current_database()")
                .await
                > 0
        })
        .await;
        execute(&mut writer, "commit").await;
    };
    let ((one, other), ()) = tokio::join!(runs, writing);
    let (one, other) = (one.well(), other.well());
    assert_eq!(
        [one.finished(), other.finished()].concat(),
        [1],
        "one builds, the other finds it done"
    );
    assert!(
        !one.any(|event| matches!(event, Event::Retrying { .. }))
            && !other.any(|event| matches!(event, Event::Retrying { .. }))
    );
    assert_eq!(
        database
            .number("select count(*) from pg_index where indexrelid = 'i'::regclass and indisvalid")
            .await,
        1
    );
    writer.close().await.unwrap();
}

#[tokio::test]
async fn an_invalid_leftover_is_rebuilt_and_never_recorded_as_it_is() {
    let database = Database::with_rows(10).await;
    leave_invalid(&database, "i").await;
    let migrations = release(&[("0001_i", BUILD, DROP)]);
    let told = up(&database, &migrations).await.well();
    assert!(told.any(|event| matches!(event, Event::Cleaned { .. })));
    assert_eq!(
        database
            .number("select count(*) from pg_index where indexrelid = 'i'::regclass and indisvalid")
            .await,
        1
    );
}

#[tokio::test]
async fn an_invalid_index_of_somebody_else_is_refused() {
    let database = Database::with_rows(10).await;
    leave_invalid(&database, "stray").await;
    let told = up(&database, &release(&[("0001_i", BUILD, DROP)])).await;
    assert_eq!(told.code(), 4);
    assert!(
        matches!(&told.outcome, Err(Failure::InvalidIndexes(names)) if names == &["stray"]),
        "{}",
        told.error()
    );
}

#[tokio::test]
async fn a_byte_order_mark_and_blank_lines_do_not_put_a_build_into_a_transaction() {
    let database = Database::with_rows(10).await;
    let text = format!("\u{feff}\r\n\r\n{}", BUILD.replace('\n', "\r\n"));
    assert_eq!(
        up(&database, &release(&[("0001_i", &text, DROP)]))
            .await
            .well()
            .finished(),
        [1]
    );
}

#[tokio::test]
async fn validating_and_dropping_work_by_themselves_too() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[
        (
            "0001_c",
            "alter table t add constraint c check (a > 0) not valid",
            "alter table t drop constraint c",
        ),
        (
            "0002_v",
            "-- no-transaction\n-- tt: phase=expand\nalter table t validate constraint c",
            "-- tt: phase=expand\n",
        ),
        ("0003_i", BUILD, DROP),
    ]);
    assert_eq!(up(&database, &migrations).await.well().finished(), [1, 2, 3]);
    assert_eq!(
        database
            .number("select count(*) from pg_constraint where conname = 'c' and convalidated")
            .await,
        1
    );
    assert_eq!(
        crate::release::down(&database, &migrations, 0, &[])
            .await
            .well()
            .finished(),
        [3, 2, 1]
    );
    assert_eq!(database.number("select count(*) from _tt_migrations").await, 0);
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname = 'i'")
            .await,
        0
    );
}

/// A unique index over values that are there twice cannot be built, and stays behind.
async fn leave_invalid(database: &Database, name: &str) {
    let mut connection = database.connect().await;
    execute(&mut connection, "update t set a = 7").await;
    let sql = format!("create unique index concurrently {name} on t (a)");
    let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await;
    assert!(refused.is_err());
    execute(&mut connection, "update t set a = id").await;
    connection.close().await.unwrap();
}

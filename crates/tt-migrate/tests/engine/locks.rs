//! Others at the table: they are waited for outside, briefly asked, and named when they do not go.

use std::time::Duration;

use tt_migrate::{Event, Failure, Limits, Phase, Resume};

use crate::{
    cluster::{Database, execute},
    release::{Log, Told, limits, release, until, up_by, up_with},
};

const ADD: (&str, &str, &str) = ("0001_b", "alter table t add b int", "alter table t drop b");

fn tries(told: &Told) -> u32 {
    let tries = told.events.iter().find_map(|event| {
        let Event::Finished { tries, .. } = event else {
            return None;
        };
        Some(*tries)
    });
    tries.unwrap()
}

#[tokio::test]
async fn a_long_reader_is_waited_for_before_anything_is_locked() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[ADD]);
    let mut reader = database.connect().await;
    execute(&mut reader, "begin; select count(*) from t; select pg_sleep(0.2)").await;
    let (target, limits, log) = (database.target(), limits(), Log::default());
    let run = up_by(&target, &migrations, &limits, &Phase::ALL, Resume::No, &log);
    let reading = async {
        until("it waits", async || {
            log.any(|event| matches!(event, Event::WaitingForHolders { .. }))
        })
        .await;
        // Nobody queues behind it meanwhile.
        assert_eq!(
            database.number("select count(*) from pg_locks where not granted and database = (select oid from pg_database where datname = current_database())").await,
            0
        );
        execute(&mut reader, "commit").await;
    };
    let (told, ()) = tokio::join!(run, reading);
    assert_eq!(tries(&told.well()), 1);
}

#[tokio::test]
async fn one_that_does_not_go_is_named_and_nobody_was_kept_waiting() {
    let database = Database::with_rows(10).await;
    let mut reader = database.connect().await;
    execute(
        &mut reader,
        "set application_name = 'report'; begin; select count(*) from t; select pg_sleep(0.15)",
    )
    .await;
    let limits = Limits {
        patience: Duration::from_millis(300),
        ..limits()
    };
    let told = up_with(&database, &release(&[ADD]), &limits, &Phase::ALL, Resume::No).await;
    assert_eq!(told.code(), 5);
    assert!(
        told.error().contains("`report` of postgres (idle in transaction"),
        "{}",
        told.error()
    );
    assert!(matches!(told.outcome, Err(Failure::Locked { tries: 0, .. })));
}

#[tokio::test]
async fn one_that_the_look_misses_costs_a_short_try_each() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[ADD]);
    let mut reader = database.connect().await;
    execute(&mut reader, "begin; select count(*) from t").await;
    let limits = Limits {
        old: Duration::from_hours(1),
        lock: Duration::from_millis(30),
        ..limits()
    };
    let (target, log) = (database.target(), Log::default());
    let run = up_by(&target, &migrations, &limits, &Phase::ALL, Resume::No, &log);
    let reading = async {
        until("it has tried", async || {
            log.any(|event| matches!(event, Event::Retrying { .. }))
        })
        .await;
        execute(&mut reader, "commit").await;
    };
    let (told, ()) = tokio::join!(run, reading);
    assert!(tries(&told.well()) > 1);
}

#[tokio::test]
async fn a_second_runner_gives_up_and_says_who_is_at_work() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[ADD]);
    let mut reader = database.connect().await;
    execute(&mut reader, "begin; select count(*) from t; select pg_sleep(0.15)").await;
    let (target, patient, log) = (database.target(), limits(), Log::default());
    let first = up_by(&target, &migrations, &patient, &Phase::ALL, Resume::No, &log);
    let second = async {
        until("the first waits", async || {
            log.any(|event| matches!(event, Event::WaitingForHolders { .. }))
        })
        .await;
        let hasty = Limits {
            turn: Duration::ZERO,
            ..limits()
        };
        let told = up_with(&database, &migrations, &hasty, &Phase::ALL, Resume::No).await;
        execute(&mut reader, "commit").await;
        told
    };
    let (first, second) = tokio::join!(first, second);
    first.well();
    assert_eq!(second.code(), 10);
    assert!(
        second.error().contains("`tt-migrate` of postgres"),
        "{}",
        second.error()
    );
}

#[tokio::test]
async fn a_backfill_gives_way_to_whoever_holds_its_rows() {
    let database = Database::with_rows(300).await;
    database.execute("alter table t add b int").await;
    let migrations = release(&[(
        "0001_fill",
        "-- tt: phase=backfill batch=100\nupdate t as x set b = x.a where x.b is null -- all of them",
        "-- tt: phase=expand\n",
    )]);
    let mut writer = database.connect().await;
    execute(&mut writer, "begin; update t set a = a where id = 150").await;
    let (target, limits, log) = (database.target(), limits(), Log::default());
    let run = up_by(&target, &migrations, &limits, &Phase::ALL, Resume::No, &log);
    let writing = async {
        until("it has met the row", async || {
            log.any(|event| matches!(event, Event::Retrying { .. }))
        })
        .await;
        execute(&mut writer, "commit").await;
    };
    let (told, ()) = tokio::join!(run, writing);
    told.well();
    assert_eq!(database.number("select count(*) from t where b = a").await, 300);
}

#[tokio::test]
async fn what_a_block_locks_is_looked_at_before_it_begins() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[(
        "0001_b",
        "-- tt: phase=expand\n-- tt-waive: do-block the column may be there already\ndo $$\nbegin\n  alter table t add b int;\nexception when duplicate_column then null;\nend $$",
        "alter table t drop b",
    )]);
    let mut reader = database.connect().await;
    execute(&mut reader, "begin; select count(*) from t; select pg_sleep(0.2)").await;
    let (target, limits, log) = (database.target(), limits(), Log::default());
    let run = up_by(&target, &migrations, &limits, &Phase::ALL, Resume::No, &log);
    let reading = async {
        until("it waits outside", async || {
            log.any(|event| matches!(event, Event::WaitingForHolders { .. }))
        })
        .await;
        execute(&mut reader, "commit").await;
    };
    let (told, ()) = tokio::join!(run, reading);
    assert_eq!(tries(&told.well()), 1);
}

#[tokio::test]
async fn what_may_lock_unseen_is_stopped_as_soon_as_what_does() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[(
        "0001_b",
        "-- tt: phase=expand\n-- tt-waive: do-block the table's name is put together\n-- tt-waive: dynamic-sql the table's name is put together\ndo $$ begin execute 'lock table ' || 't'; perform pg_sleep(60); end $$",
        "-- tt: phase=expand\n",
    )]);
    let limits = Limits {
        blocking: Duration::from_millis(200),
        ..limits()
    };
    let told = up_with(&database, &migrations, &limits, &Phase::ALL, Resume::No).await;
    assert_eq!(told.code(), 6);
    assert!(matches!(told.outcome, Err(Failure::TooLong { .. })), "{}", told.error());
}

//! The way back: what it refuses, what it counts, what it undoes.

use tt_migrate::{Event, Failure, Job, Version};

use crate::{
    cluster::Database,
    release::{down, limits, release, up},
};

const ADD: (&str, &str, &str) = (
    "0001_b",
    "alter table t add b text;\ncreate table n (id int primary key)",
    "drop table n;\nalter table t drop column b",
);

#[tokio::test]
async fn data_that_would_be_lost_is_counted_and_has_to_be_accepted_to_the_row() {
    let database = Database::with_rows(20).await;
    let migrations = release(&[ADD]);
    up(&database, &migrations).await.well();
    database
        .execute("update t set b = 'x' where id <= 7; insert into n values (1), (2)")
        .await;

    let (target, limits) = (database.target(), limits());
    let job = Job {
        target: &target,
        migrations: &migrations,
        limits: &limits,
    };
    let planned = tt_migrate::plan_down(job, Version::NONE).await.unwrap();
    assert_eq!(
        planned.to_string(),
        "this would be undone, newest first\n  0001 b (expand)\n    drop table n\n    alter table t drop column b\n  \
         lost: n.* in 2 rows\n  lost: t.b in 7 rows\n  \
         to accept that, add --accept-data-loss=n.*:2 --accept-data-loss=t.b:7"
    );
    assert_eq!(
        database.number("select count(*) from n").await,
        2,
        "a plan changes nothing"
    );

    let told = down(&database, &migrations, 0, &[]).await;
    assert_eq!(told.code(), 4);
    assert_eq!(
        told.error(),
        "undoing this would lose data: n.* in 2 rows, t.b in 7 rows"
    );
    let hint = told.outcome.as_ref().unwrap_err().hint();
    assert!(
        hint.ends_with("--accept-data-loss=n.*:2 --accept-data-loss=t.b:7"),
        "{hint}"
    );

    let told = down(&database, &migrations, 0, &["n.*:2", "t.b:6"]).await;
    assert!(
        matches!(told.outcome, Err(Failure::WrongCount { counted: 7, .. })),
        "{}",
        told.error()
    );
    assert_eq!(database.number("select count(*) from t where b = 'x'").await, 7);

    let told = down(&database, &migrations, 0, &["n.*:2", "t.b:7"]).await.well();
    assert!(told.any(|event| matches!(event, Event::Losses { losses } if losses.len() == 2)));
    assert_eq!(
        database
            .number("select count(*) from information_schema.columns where table_name = 't'")
            .await,
        2
    );
    assert_eq!(database.number("select count(*) from _sqlx_migrations").await, 0);
}

#[tokio::test]
async fn an_empty_column_goes_without_a_word() {
    let database = Database::with_rows(20).await;
    let migrations = release(&[ADD]);
    up(&database, &migrations).await.well();
    assert_eq!(down(&database, &migrations, 0, &[]).await.well().finished(), [1]);
    assert_eq!(up(&database, &migrations).await.well().finished(), [1]);
}

#[tokio::test]
async fn an_edited_way_back_is_refused() {
    let database = Database::with_rows(20).await;
    up(&database, &release(&[ADD])).await.well();
    let edited = release(&[(ADD.0, ADD.1, "drop table t")]);
    let told = down(&database, &edited, 0, &[]).await;
    assert_eq!(told.code(), 8);
    assert!(
        told.error()
            .contains("0001_b.down.sql is not the file that came with migration 0001"),
        "{}",
        told.error()
    );
    assert_eq!(database.number("select count(*) from t").await, 20);
}

#[tokio::test]
async fn a_version_that_is_none_is_refused() {
    let database = Database::with_rows(1).await;
    let migrations = release(&[ADD]);
    up(&database, &migrations).await.well();
    let told = down(&database, &migrations, 7, &[]).await;
    assert_eq!(told.code(), 2);
}

#[tokio::test]
async fn what_cannot_be_counted_is_refused() {
    let database = Database::with_rows(1).await;
    let migrations = release(&[("0001_s", "create schema s", "drop schema s cascade")]);
    up(&database, &migrations).await.well();
    let told = down(&database, &migrations, 0, &[]).await;
    assert_eq!(told.code(), 4);
    assert!(
        matches!(told.outcome, Err(Failure::Uncountable { .. })),
        "{}",
        told.error()
    );
}

//! What is applied held against the files: order, edits, other releases, other tools.

use sqlx::{
    AssertSqlSafe, SqlSafeStr,
    migrate::{MigrationType, Migrator},
};
use tt_migrate::{Exit, Failure, Job, Phase, Resume};

use crate::{
    cluster::Database,
    release::{down, limits, release, up, up_with},
};

const A: (&str, &str, &str) = ("0001_a", "create table a (id int)", "drop table a");
const B: (&str, &str, &str) = ("0003_b", "create table b (id int)", "drop table b");
const C: (&str, &str, &str) = ("0005_c", "create table c (id int)", "drop table c");

#[tokio::test]
async fn an_edited_file_and_one_that_comes_too_late_are_refused() {
    let database = Database::empty().await;
    up(&database, &release(&[A, C])).await.well();
    for (files, words) in [
        (vec![A, B, C], "migration 0003 was added below 0005, which is applied"),
        (
            vec![("0001_a", "create table a (id bigint)", "drop table a"), C],
            "migration 0001 was edited after it was applied",
        ),
        (vec![C], "migration 0001 a is applied and its file is gone"),
    ] {
        let told = up(&database, &release(&files)).await;
        assert_eq!(told.code(), 8);
        assert!(told.error().contains(words), "{}", told.error());
    }
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname = 'b'")
            .await,
        0
    );
}

#[tokio::test]
async fn other_line_endings_are_no_edit() {
    let database = Database::empty().await;
    up(
        &database,
        &release(&[(
            "0001_a",
            "-- tt: phase=expand\ncreate table a\n(id int)",
            "drop table a",
        )]),
    )
    .await
    .well();
    let windows = release(&[(
        "0001_a",
        "\u{feff}-- tt: phase=expand\r\ncreate table a\r\n(id int)",
        "drop table a",
    )]);
    assert_eq!(up(&database, &windows).await.well().finished(), Vec::<i64>::new());
}

#[tokio::test]
async fn an_older_release_finds_nothing_to_do_on_a_newer_schema() {
    let database = Database::empty().await;
    up(&database, &release(&[A, B])).await.well();
    let older = release(&[A]);
    assert_eq!(up(&database, &older).await.well().finished(), Vec::<i64>::new());
    let mut connection = database.connect().await;
    assert!(tt_migrate::fits(&mut connection, &older).await.unwrap().is_ok());
    // What it does not carry it cannot undo either.
    assert!(matches!(
        down(&database, &older, 1, &[]).await.outcome,
        Err(Failure::NotOurs(_))
    ));
}

#[tokio::test]
async fn what_sqlx_applied_is_taken_over() {
    let database = Database::empty().await;
    let ours = release(&[A]);
    let text = ours.iter().next().unwrap().up.text.clone();
    for text in [text.clone(), text.replace('\n', "\r\n")] {
        let migration = sqlx::migrate::Migration::new(
            1,
            "a".into(),
            MigrationType::ReversibleUp,
            AssertSqlSafe(text).into_sql_str(),
            false,
        );
        let mut connection = database.connect().await;
        Migrator::with_migrations(vec![migration])
            .run(&mut connection)
            .await
            .unwrap();
        // Unknown to the journal, it is not undone: nothing says that this way back belongs to it.
        assert!(matches!(
            down(&database, &ours, 0, &[]).await.outcome,
            Err(Failure::Unrecorded(_))
        ));
        assert_eq!(up(&database, &ours).await.well().finished(), Vec::<i64>::new());
        assert_eq!(down(&database, &ours, 0, &[]).await.well().finished(), [1]);
    }
}

#[tokio::test]
async fn what_was_taken_off_the_list_by_hand_runs_again() {
    let database = Database::empty().await;
    up(&database, &release(&[A])).await.well();
    database.execute("drop table a; delete from _sqlx_migrations").await;
    assert_eq!(up(&database, &release(&[A])).await.well().finished(), [1]);
    assert_eq!(down(&database, &release(&[A]), 0, &[]).await.well().finished(), [1]);
}

#[tokio::test]
async fn phases_run_when_they_are_asked_for() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[
        ("0001_b", "alter table t add b int", "alter table t drop b"),
        (
            "0002_fill",
            "-- tt: phase=backfill\nupdate t set b = a",
            "-- tt: phase=expand\n",
        ),
        (
            "0003_old",
            "-- tt: phase=contract breaks-below=2\nalter table t drop a",
            "alter table t add a int",
        ),
        ("0004_c", "alter table t add c int", "alter table t drop c"),
    ]);
    let run = async |phases: &[Phase]| up_with(&database, &migrations, &limits(), phases, Resume::No).await;
    let early = run(&[Phase::Contract]).await;
    assert_eq!(early.code(), 4);
    assert!(
        matches!(early.outcome, Err(Failure::TooEarly { .. })),
        "{}",
        early.error()
    );
    assert_eq!(run(&[Phase::Expand]).await.well().finished(), [1, 4]);
    assert_eq!(run(&Phase::BEFORE_A_RELEASE).await.well().finished(), [2]);

    // The release before knew version 1 only, and still works; after the contraction it does not.
    let before = release(&[("0001_b", "alter table t add b int", "alter table t drop b")]);
    let mut connection = database.connect().await;
    assert!(tt_migrate::fits(&mut connection, &before).await.unwrap().is_ok());
    assert_eq!(run(&[Phase::Contract]).await.well().finished(), [3]);
    let unfit = tt_migrate::fits(&mut connection, &before).await.unwrap().unwrap_err();
    assert_eq!(
        unfit.to_string(),
        "migration 3 old took away what releases below schema 2 use, and this one knows schema 1: run a newer release"
    );
    assert!(tt_migrate::fits(&mut connection, &migrations).await.unwrap().is_ok());
}

#[tokio::test]
async fn a_plan_changes_nothing_and_says_what_each_statement_locks() {
    let database = Database::with_rows(1000).await;
    let migrations = release(&[(
        "0001_b",
        "alter table t add b int;\ncreate table n (id int);\ncreate index on n (id)",
        "drop table n;\nalter table t drop b",
    )]);
    let (target, limits) = (database.target(), limits());
    let job = Job {
        target: &target,
        migrations: &migrations,
        limits: &limits,
    };
    let mut reader = database.connect().await;
    crate::cluster::execute(&mut reader, "begin; select * from t limit 1; select pg_sleep(0.15)").await;
    let plan = tt_migrate::plan(job, &Phase::ALL).await.unwrap();
    let locks: Vec<_> = plan.steps[0]
        .statements
        .iter()
        .map(|planned| planned.locks.len())
        .collect();
    assert_eq!(locks, [1, 0, 0], "what the file makes itself is nobody else's");
    let lock = &plan.steps[0].statements[0].locks[0];
    assert!(lock.blocks_reads && lock.blocks_writes && lock.rows == Some(1000) && lock.bytes > Some(0));
    assert_eq!(lock.holders.len(), 1, "the reader is in the way: {plan}");
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname in ('_sqlx_migrations', '_tt_migrations', 'n')")
            .await,
        0
    );

    let status = tt_migrate::status(job).await.unwrap();
    assert_eq!((status.pending.len(), status.applied.len()), (1, 0));
    let json = serde_json::to_value(tt_migrate::Event::Status(status)).unwrap();
    assert_eq!(json["event"], "status");
    assert_eq!(json["release"]["needs"], 1);
    assert_eq!(Exit::Pending.code(), 3);
}

//! Runs that are killed in the middle, as by `kill -9` or a task that is stopped, and what the next run makes of it.
//!
//! The run that is killed is this test program once more, told by its environment to be one.

use std::process::Stdio;

use tokio::process::{Child, Command};
use tt_migrate::{Event, File, Found, Migrations, Phase, Resume};

use crate::{
    cluster::{Database, execute},
    release::{Log, down, down_with, limits, release, until, up, up_by, up_with},
};

const FILES: &str = "TT_MIGRATE_TEST_FILES";
const URL: &str = "TT_MIGRATE_TEST_URL";

/// Not a test by itself: what a killed run does before it is killed.
#[tokio::test]
async fn a_run_to_be_killed() {
    let (Ok(files), Ok(url)) = (std::env::var(FILES), std::env::var(URL)) else {
        return;
    };
    let files: Vec<(String, String)> = serde_json::from_str(&files).unwrap();
    let migrations = tt_migrate::load(files.into_iter().map(|(name, text)| File::new(name, text))).unwrap();
    let target = tt_migrate::target(&url).unwrap();
    up_by(
        &target,
        &migrations,
        &limits(),
        &Phase::ALL,
        Resume::No,
        &Log::default(),
    )
    .await
    .well();
}

fn start(database: &Database, migrations: &Migrations) -> Child {
    let files: Vec<(&str, &str)> = migrations
        .iter()
        .flat_map(|migration| [&migration.up, &migration.down])
        .map(|script| (script.file.as_str(), script.text.as_str()))
        .collect();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "cut_off::a_run_to_be_killed", "--nocapture"])
        .env(FILES, serde_json::to_string(&files).unwrap())
        .env(URL, database.url())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Kills it when the question is answered with something above zero, and waits until the server has noticed.
async fn kill_when(database: &Database, mut run: Child, question: &str) {
    until("the run is where it is to be killed", async || {
        database.number(question).await > 0
    })
    .await;
    run.kill().await.unwrap();
    until("the server has noticed", async || {
        database.number("select count(*) from pg_stat_activity where application_name = 'tt-migrate' and datname = current_database()").await == 0
    })
    .await;
}

#[tokio::test]
async fn killed_in_a_transaction_nothing_is_left_and_nothing_has_to_be_resumed() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[(
        "0001_b",
        "create table b (id int);\nselect pg_sleep(case when (select count(*) from t) = 10 then 60 else 0 end)",
        "drop table b",
    )]);
    let run = start(&database, &migrations);
    kill_when(&database, run, "select count(*) from pg_stat_activity where application_name = 'tt-migrate' and query like '%pg_sleep%' and state = 'active' and datname = current_database()").await;
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname = 'b'")
            .await,
        0
    );
    database.execute("delete from t where id = 1").await;
    assert_eq!(up(&database, &migrations).await.well().finished(), [1]);
}

#[tokio::test]
async fn killed_while_an_index_is_built_it_is_refused_until_it_is_resumed() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[(
        "0001_i",
        "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (a)",
        "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i",
    )]);
    let mut writer = database.connect().await;
    execute(&mut writer, "begin; update t set a = 0 where id = 1").await;
    let run = start(&database, &migrations);
    kill_when(
        &database,
        run,
        "select count(*) from pg_stat_progress_create_index where datname = current_database()",
    )
    .await;
    execute(&mut writer, "commit").await;

    let told = up(&database, &migrations).await;
    assert_eq!(told.code(), 7, "{}", told.error());
    let told = up_with(&database, &migrations, &limits(), &Phase::ALL, Resume::Yes)
        .await
        .well();
    assert_eq!(told.finished(), [1]);
    assert!(told.any(|event| matches!(
        event,
        Event::Resumed {
            found: Found::Undone,
            ..
        }
    )));
    assert!(told.any(|event| matches!(event, Event::Cleaned { .. })));
    assert_eq!(
        database
            .number("select count(*) from pg_index where indexrelid = 'i'::regclass and indisvalid")
            .await,
        1
    );
}

#[tokio::test]
async fn what_had_taken_effect_before_the_kill_is_only_recorded() {
    let database = Database::with_rows(10).await;
    let migrations = release(&[(
        "0001_i",
        "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (a)",
        "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i",
    )]);
    up(&database, &migrations).await.well();
    // As a kill leaves it between the statement and the record of it.
    database
        .execute("delete from _sqlx_migrations; update _tt_migrations set finished_at = null")
        .await;
    assert_eq!(up(&database, &migrations).await.code(), 7);
    let told = up_with(&database, &migrations, &limits(), &Phase::ALL, Resume::Yes)
        .await
        .well();
    assert!(told.any(|event| matches!(event, Event::Resumed { found: Found::Done, .. })));
    assert_eq!(
        database
            .number("select count(*) from _sqlx_migrations where success")
            .await,
        1
    );
}

#[tokio::test]
async fn killed_in_a_backfill_the_next_run_goes_on_where_it_stopped() {
    let database = Database::with_rows(2000).await;
    database.execute("alter table t add b int not null default 0").await;
    // The journal is there before the run, so that its rows can be asked for.
    up(&database, &release(&[])).await.well();
    // Adding one shows a row that is met twice.
    let migrations = release(&[(
        "0001_fill",
        "-- tt: phase=backfill batch=50\nupdate t set b = b + 1",
        "-- tt: phase=expand\n",
    )]);
    let mut writer = database.connect().await;
    execute(&mut writer, "begin; update t set a = a where id = 1500").await;
    let run = start(&database, &migrations);
    kill_when(
        &database,
        run,
        "select count(*) from _tt_migrations where rows_done > 100",
    )
    .await;
    execute(&mut writer, "rollback").await;
    let told = up(&database, &migrations).await.well();
    assert!(told.any(|event| matches!(
        event,
        Event::Resumed {
            found: Found::Halfway,
            ..
        }
    )));
    assert_eq!(database.number("select count(*) from t where b = 1").await, 2000);
}

#[tokio::test]
async fn killed_in_a_contraction_it_still_breaks_whom_it_was_going_to_break() {
    let database = Database::with_rows(10).await;
    database.execute("create index i on t (a)").await;
    let migrations = release(&[
        ("0001_b", "alter table t add b int", "alter table t drop b"),
        (
            "0002_i",
            "-- no-transaction\n-- tt: phase=contract breaks-below=2\ndrop index concurrently i",
            "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (a)",
        ),
    ]);
    let expansion = [Phase::Expand];
    up_with(&database, &migrations, &limits(), &expansion, Resume::No)
        .await
        .well();
    let mut reader = database.connect().await;
    execute(&mut reader, "begin; select count(*) from t").await;
    let run = start(&database, &migrations);
    kill_when(
        &database,
        run,
        "select count(*) from pg_stat_activity where application_name = 'tt-migrate' and query like 'drop index%' and wait_event_type = 'Lock' and datname = current_database()",
    )
    .await;
    execute(&mut reader, "commit").await;

    // It may have taken effect: the release before is told so until that is known.
    let before = release(&[("0001_b", "alter table t add b int", "alter table t drop b")]);
    assert!(tt_migrate::fits(&mut reader, &before).await.unwrap().is_err());
    assert_eq!(up(&database, &migrations).await.code(), 7);
    let told = up_with(&database, &migrations, &limits(), &Phase::ALL, Resume::Yes)
        .await
        .well();
    assert_eq!(told.finished(), [2]);
    assert_eq!(
        database
            .number("select count(*) from pg_class where relname = 'i'")
            .await,
        0
    );
    assert_eq!(
        database
            .number("select breaks_below from _tt_migrations where version = 2 and finished_at is not null")
            .await,
        2
    );
}

#[tokio::test]
async fn killed_in_a_way_back_it_is_refused_until_it_is_resumed() {
    for (found, meanwhile) in [(Found::Undone, ""), (Found::Done, "drop index i;")] {
        let database = Database::with_rows(10).await;
        let migrations = release(&[(
            "0001_i",
            "-- no-transaction\n-- tt: phase=expand\ncreate index concurrently i on t (a)",
            "-- no-transaction\n-- tt: phase=contract\ndrop index concurrently i",
        )]);
        up(&database, &migrations).await.well();
        // As a kill leaves it before the statement or behind it.
        database
            .execute(&format!(
                "{meanwhile} update _tt_migrations set finished_at = null, direction = 'down'"
            ))
            .await;
        assert_eq!(down(&database, &migrations, 0, &[]).await.code(), 7);
        let told = down_with(&database, &migrations, 0, &[], Resume::Yes).await.well();
        assert!(told.any(|event| matches!(event, Event::Resumed { found: as_told, .. } if *as_told == found)));
        assert_eq!(told.finished(), [1]);
        assert_eq!(
            database
                .number("select (select count(*) from _sqlx_migrations) + (select count(*) from _tt_migrations) + (select count(*) from pg_class where relname = 'i')")
                .await,
            0
        );
    }
}

//! The data on another server than before: what was recorded there, by whom it was followed, and what is recorded from now on.

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use task_tracker::DatabaseUrl;
use tt_fixture::postgres::{Server, programs};

use crate::{
    api::Api,
    cluster,
    following::Stream,
    instance::{Another, another_on, start},
    line::until,
};

/// More than one batch, and how far the numbers of transactions are ahead.
const MANY: i64 = 12_000;
const AHEAD: i64 = 1_000_000;

/// As after a move to a server that has given fewer numbers.
async fn bring_from_elsewhere(connection: &mut PgConnection) {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "begin;
         set local task_tracker.curating = 'on';
         update events set tx = (tx::text::bigint + {AHEAD})::text::xid8;
         commit;"
    )))
    .execute(connection)
    .await
    .unwrap();
}

/// How many events are not put in order, and which of all rows stands where: a row that is written again stands elsewhere.
async fn standing(connection: &mut PgConnection) -> (i64, String) {
    sqlx::query_as("select count(*) filter (where tx <> '0'), md5(string_agg(ctid::text, ' ' order by id)) from events")
        .fetch_one(connection)
        .await
        .unwrap()
}

async fn activity(api: &Api, project: &str) -> Vec<Value> {
    api.every(&format!("/api/v1/projects/{project}/activity?limit=100"))
        .await
}

fn titles(activity: &[Value]) -> Vec<&str> {
    let titles = activity.iter().map(|event| event["after"]["title"].as_str());
    titles.map(|title| title.unwrap_or("project")).collect()
}

/// The documented move, with the server's own programs: rows and definitions, and nothing else of the server.
fn copy(from: &str, to: &str) {
    let folder = programs().unwrap();
    let mut dump = Command::new(folder.join("pg_dump"))
        .arg(from)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let filled = Command::new(folder.join("psql"))
        .args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", to])
        .stdin(dump.stdout.take().unwrap())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(filled.success() && dump.wait().unwrap().success());
}

/// Numbers of transactions that the server to move to has not come to.
async fn give_numbers(connection: &mut PgConnection) {
    sqlx::raw_sql(
        "do $$ begin
            for n in 1..5000 loop
                perform pg_current_xact_id();
                commit;
            end loop;
         end $$",
    )
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn after_a_move_history_is_history_and_who_followed_is_told_to_load_anew() {
    let here = start("").await;
    give_numbers(&mut here.database.connect().await).await;
    let project = here.api.project().await;
    here.api.task(&project, "dig").await;
    let before = activity(&here.api, &project).await;
    let heard = before[0]["id"].as_str().unwrap().to_owned();
    here.api.task(&project, "rake").await;

    let there = Server::start(&["listen_addresses=", "fsync=off", "autovacuum=off"]);
    let mut connection = PgConnection::connect(&there.url("postgres")).await.unwrap();
    sqlx::raw_sql("create database moved")
        .execute(&mut connection)
        .await
        .unwrap();
    copy(&here.database.url(), &there.url("moved"));
    let url = DatabaseUrl::parse(&there.url("moved")).unwrap();
    let service = another_on(&url, "").await;
    let api = here.api.elsewhere(service.address);

    api.task(&project, "sow").await;
    let all = activity(&api, &project).await;
    assert_eq!(titles(&all), ["sow", "rake", "dig", "project"]);

    // Who came from the old server hears that there is something to catch up on, and then what happens.
    let mut stream = Stream::open(&api, &project, Some(&heard)).await;
    let (place, name, data) = stream.next().await.unwrap();
    assert_eq!((name.as_str(), data), ("reset", json!({})));
    assert_eq!(place, all[0]["id"].as_str().unwrap());
    let mut fresh = Stream::open(&api, &project, None).await;
    api.task(&project, "water").await;
    for stream in [&mut stream, &mut fresh] {
        let (_, name, data) = stream.next().await.unwrap();
        assert_eq!(
            (name.as_str(), &data["after"]["title"]),
            ("task.created", &json!("water"))
        );
    }
    // What the reset said is where it goes on, and so is what was read of the history here.
    let mut resumed = Stream::open(&api, &project, Some(&place)).await;
    assert_eq!(resumed.next().await.unwrap().2["after"]["title"], "water");
    let dig = all[2]["id"].as_str().unwrap();
    let mut resumed = Stream::open(&api, &project, Some(dig)).await;
    for title in ["rake", "sow", "water"] {
        assert_eq!(resumed.next().await.unwrap().2["after"]["title"], title);
    }
}

#[tokio::test]
async fn any_number_of_processes_put_it_in_order_once() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    sqlx::query("insert into events (action) select 'task.changed' from generate_series(1, $1)")
        .bind(MANY)
        .execute(&mut connection)
        .await
        .unwrap();
    bring_from_elsewhere(&mut connection).await;
    let url = database.parsed_url();
    let (first, second, third) = tokio::join!(another_on(&url, ""), another_on(&url, ""), another_on(&url, ""));
    until("it is in order", async || {
        standing(&mut database.connect().await).await.0 == 0
    })
    .await;
    let (_, stands) = standing(&mut connection).await;
    for service in [first, second, third] {
        end(service).await;
    }
    // What is in order stays as it is, whoever starts.
    sqlx::query("insert into events (action) values ('task.changed')")
        .execute(&mut connection)
        .await
        .unwrap();
    let (left, with_one_more) = standing(&mut connection).await;
    assert_eq!(left, 1);
    assert_ne!(with_one_more, stands);
    end(another_on(&url, "").await).await;
    assert_eq!(standing(&mut connection).await, (1, with_one_more));
}

/// Whoever was at it may have been killed, and meanwhile the server has come to the numbers that were left.
#[tokio::test]
async fn what_one_process_began_another_one_ends() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(AssertSqlSafe(format!(
        "insert into events (action) select 'task.changed' from generate_series(1, {MANY});
         begin;
         set local task_tracker.curating = 'on';
         update events set tx = '0' where id > {MANY} - 10000;
         update events set tx = '800' where tx <> '0';
         commit;
         insert into events (action) values ('task.created')"
    )))
    .execute(&mut connection)
    .await
    .unwrap();
    let service = another_on(&database.parsed_url(), "").await;
    until("all but what is new is in order", async || {
        let left: Vec<String> = sqlx::query_scalar("select action from events where tx <> '0'")
            .fetch_all(&mut database.connect().await)
            .await
            .unwrap();
        left == ["task.created"]
    })
    .await;
    end(service).await;
}

async fn end(service: Another) {
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
}

/// An event that is not kept any more, or not of this project, is no place to go on behind.
#[tokio::test]
async fn who_comes_back_too_late_is_told_to_load_anew() {
    let service = start("").await;
    let (project, other) = (service.api.project().await, service.api.project().await);
    let foreign = activity(&service.api, &other).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let kept = activity(&service.api, &project).await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut connection = service.database.connect().await;
    // Other tests have changes under way on this server.
    until("what happened is settled", async || {
        sqlx::query_scalar("select bool_and(tx < pg_snapshot_xmin(pg_current_snapshot())) from events")
            .fetch_one(&mut service.database.connect().await)
            .await
            .unwrap()
    })
    .await;
    for unknown in ["1-1", "999999999999-999999999999", foreign.as_str()] {
        let mut stream = Stream::open(&service.api, &project, Some(unknown)).await;
        let (place, name, _) = stream.next().await.unwrap();
        assert_eq!((place.as_str(), name.as_str()), (kept.as_str(), "reset"), "{unknown}");
    }
    sqlx::raw_sql("begin; set local task_tracker.curating = 'on'; delete from events; commit")
        .execute(&mut connection)
        .await
        .unwrap();
    let mut stream = Stream::open(&service.api, &project, Some(&kept)).await;
    let (place, name, _) = stream.next().await.unwrap();
    assert_eq!((place.as_str(), name.as_str()), ("", "reset"));
    service.api.task(&project, "dig").await;
    assert_eq!(stream.next().await.unwrap().1, "task.created");
}

/// The address of the database stands in a file, and may lead to another server from one moment to the next.
#[tokio::test]
async fn listeners_of_a_database_that_became_another_one_are_sent_away() {
    let here = start("").await;
    give_numbers(&mut here.database.connect().await).await;
    let project = here.api.project().await;
    let there = Server::start(&["listen_addresses=", "fsync=off", "autovacuum=off"]);
    let mut connection = PgConnection::connect(&there.url("postgres")).await.unwrap();
    sqlx::raw_sql("create database moved")
        .execute(&mut connection)
        .await
        .unwrap();
    copy(&here.database.url(), &there.url("moved"));
    drop(connection);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("url");
    std::fs::write(&file, here.database.url()).unwrap();
    let url = DatabaseUrl::from_file(&file).unwrap();
    let service = another_on(&url, "").await;
    let api = here.api.elsewhere(service.address);
    let mut stream = Stream::open(&api, &project, None).await;
    let task = json!({ "title": "dig" });
    let path = format!("/api/v1/projects/{project}/tasks");
    api.post(&path, task.clone()).await.expect(201);
    let (last, ..) = stream.next().await.unwrap();

    std::fs::write(&file, there.url("moved")).unwrap();
    // Its old server sends it away.
    until("it has gone over", async || {
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()")
            .execute(&mut here.database.connect().await)
            .await
            .unwrap();
        let mut connection = PgConnection::connect(&there.url("moved")).await.unwrap();
        let is_there: bool = sqlx::query_scalar(
            "select count(*) > 1 from pg_stat_activity where datname = current_database() and application_name like 'task-tracker%'",
        )
        .fetch_one(&mut connection)
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        is_there
    })
    .await;
    assert_eq!(stream.next().await, None);
    let mut stream = Stream::open(&api, &project, Some(&last)).await;
    assert_eq!(stream.next().await.unwrap().1, "reset");
}

//! Two traps found by experiment, held shut.
//!
//! sqlx 0.9.0 leaves a transaction open on a pooled connection when the future that was beginning it is dropped, as it
//! is when a client hangs up. And a connection whose request headers never end must neither stay nor hold up the end.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;
use tokio::sync::Mutex;
use tt_fixture::way::{Terrain, Way};
use uuid::Uuid;

use crate::{
    cluster,
    instance::{Instance, start, start_on},
    line::{Line, until},
};

const POOL: usize = 2;
const HANG_UPS: u64 = 144;
/// Requests at a time, several to a connection of the pool, so that some wait for theirs until shortly before the limit.
const CROWD: u64 = 36;

const SESSIONS: &str = "select coalesce(state, '') from pg_stat_activity
                        where datname = current_database() and application_name = 'task-tracker 1.2.3'";

/// Long enough for a hang-up to meet the service while it waits for PostgreSQL, whatever it asked.
const LONG_WAY: Duration = Duration::from_millis(3);

/// A project and a task in it, served over a long way to the database and a small pool.
struct Stage {
    service: Instance,
    project: String,
    task: String,
    onlooker: Mutex<PgConnection>,
    _way: Way,
}

async fn stage(flags: &str) -> Stage {
    let database = cluster::migrated().await;
    let onlooker = Mutex::new(database.connect().await);
    let way = Way::to_the_database(Terrain::Long(LONG_WAY));
    let url = database.url_by(way.address);
    let service = start_on(database, &url, &format!("--database-pool {POOL} {flags}")).await;
    // Behind the service's back: its own time limit may be one that this test wants to be overstepped.
    let (project, task) = (Uuid::now_v7(), Uuid::now_v7());
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "insert into projects (id, name) values ('{project}', 'garden');
         insert into memberships (project_id, user_id, role) select '{project}', id, 'owner' from users;
         insert into tasks (id, project_id, title) values ('{task}', '{project}', 'dig')"
    )))
    .execute(&mut *onlooker.lock().await)
    .await
    .unwrap();
    Stage {
        service,
        project: project.to_string(),
        task: task.to_string(),
        onlooker,
        _way: way,
    }
}

#[tokio::test]
async fn clients_that_hang_up_leave_no_transaction_behind() {
    let stage = stage("").await;
    for attempt in 0..HANG_UPS {
        let mut line = Line::to(stage.service.address).await;
        line.say(&stage.mutation(attempt)).await;
        // Anywhere between the first poll of the request and its answer.
        tokio::time::sleep(Duration::from_millis(attempt / 3 % 12)).await;
        drop(line);
        // Later requests would sweep a transaction away with their own mishaps, so look at once.
        stage.assert_no_open_transaction().await;
    }

    // Whatever connection of the pool serves these, the write is there for everybody else as soon as it is answered.
    let mut connection = stage.service.database.connect().await;
    for _ in 0..4 * POOL {
        let task: Uuid = stage.service.api.task(&stage.project, "sow").await.parse().unwrap();
        let there: bool = sqlx::query_scalar("select exists (select from tasks where id = $1)")
            .bind(task)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert!(there, "an acknowledged write is not committed");
    }
    stage.assert_no_open_transaction().await;
}

#[tokio::test]
async fn requests_cut_by_their_time_limit_leave_no_transaction_behind() {
    let stage = stage("--request-seconds 0.03").await;
    for round in 0..HANG_UPS / CROWD {
        let mut lines = Vec::new();
        for place in 0..CROWD {
            let mut line = Line::to(stage.service.address).await;
            line.say(&stage.mutation(round * CROWD + place)).await;
            lines.push(line);
        }
        for mut line in lines {
            let answer = line.hear().await;
            assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
        }
        stage.assert_no_open_transaction().await;
    }
}

impl Stage {
    fn mutation(&self, attempt: u64) -> String {
        let Self { project, task, .. } = self;
        let credentials = self.service.api.credentials();
        let (head, body) = match attempt % 3 {
            0 => ("POST /api/v1/projects".to_owned(), json!({ "name": "orchard" })),
            1 => (
                format!("POST /api/v1/projects/{project}/tasks"),
                json!({ "title": "rake" }),
            ),
            _ => (
                format!("PATCH /api/v1/tasks/{task}"),
                json!({ "title": format!("{attempt}") }),
            ),
        };
        let body = body.to_string();
        format!(
            "{head} HTTP/1.1\r\nhost: test\r\n{credentials}\r\ncontent-type: application/json\r\nif-match: *\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// Statements of clients that are gone may still run; what must not be is a session that waits inside a transaction.
    async fn assert_no_open_transaction(&self) {
        let mut connection = self.onlooker.lock().await;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let states: Vec<String> = sqlx::query_scalar(SESSIONS).fetch_all(&mut *connection).await.unwrap();
            assert!(!states.is_empty());
            assert!(
                !states.iter().any(|state| state.starts_with("idle in transaction")),
                "{states:?}"
            );
            if states.iter().all(|state| state == "idle") {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "never idle: {states:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn headers_that_never_end_are_hung_up_on_while_an_idle_connection_is_kept() {
    let service = start("--header-seconds 0.2").await;
    let mut idle = Line::to(service.address).await;
    idle.say("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(idle.hear().await.starts_with("HTTP/1.1 200"));
    let mut fresh = Line::to(service.address).await;

    let mut half = Line::to(service.address).await;
    half.say("GET /livez HTTP/1.1\r\nhost: te").await;
    assert_eq!(half.rest().await, "");
    let mut second_half = Line::to(service.address).await;
    second_half.say("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(second_half.hear().await.starts_with("HTTP/1.1 200"));
    second_half.say("GET /livez HTTP/1.1\r\n").await;
    assert_eq!(second_half.rest().await, "");

    for line in [&mut idle, &mut fresh] {
        line.say("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
        assert!(line.hear().await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn headers_that_never_end_do_not_hold_up_the_end() {
    let service = start("--finish-seconds 50").await;
    let mut half = Line::to(service.address).await;
    half.say("POST /api/v1/projects HTTP/1.1\r\nhost: test\r\ncontent-le")
        .await;
    let silent = Line::to(service.address).await;
    until("the service serves", async || {
        service.api.get("/readyz").await.status == 200
    })
    .await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
    assert_eq!((half.rest().await, silent.rest().await), (String::new(), String::new()));
}

#[tokio::test]
async fn an_idle_connection_is_closed_at_its_limit() {
    let service = start("--idle-seconds 0.2").await;
    let mut idle = Line::to(service.address).await;
    idle.say("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(idle.rest().await.starts_with("HTTP/1.1 200"));
}

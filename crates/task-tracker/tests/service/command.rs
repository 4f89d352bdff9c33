//! The program as a container runs it: arguments, environment, signals, exit codes, what it prints.

use std::{net::SocketAddr, path::Path, process::Stdio};

use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use crate::{api::Api, cluster, line::within};

pub(crate) fn task_tracker(database_url: &str) -> Command {
    release(Path::new(env!("CARGO_BIN_EXE_task-tracker")), database_url)
}

/// The program of any release.
pub(crate) fn release(program: &Path, database_url: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("DATABASE_URL", database_url)
        .env("HOST", "127.0.0.1")
        .env("PORT", "0");
    command
        .env("METRICS_PORT", "0")
        .env("RELEASE", "1.2.3")
        .env("DRAIN_SECONDS", "0.1");
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Exit code, standard output and standard error.
pub(crate) async fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let output = within(command.output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// `serve` in a process of its own, and all that it logs.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    child: Child,
    log: tokio::task::JoinHandle<String>,
}

/// Serves this database with these variables besides the usual ones, and logs at the level of debugging.
pub(crate) async fn serve(database: &cluster::Database, variables: &[(&str, &str)]) -> Running {
    let mut command = task_tracker(&database.url());
    command.envs(variables.iter().copied());
    serving(command).await
}

/// `serve` by this program.
pub(crate) async fn serving(command: Command) -> Running {
    serving_and_logging(command, "debug").await
}

/// `serve` by this program, with a log of this.
pub(crate) async fn serving_and_logging(mut command: Command, log: &str) -> Running {
    let mut child = command.args(["serve", "--log", log]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut log = String::new();
    let address = loop {
        let line = within(lines.next_line())
            .await
            .unwrap()
            .expect("it serves before it ends");
        log.push_str(&line);
        if let Some((_, rest)) = line.split_once("api=") {
            break rest.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    let log = tokio::spawn(async move {
        while let Some(line) = lines.next_line().await.unwrap() {
            log.push_str(&line);
        }
        log
    });
    Running { address, child, log }
}

impl Running {
    /// Ends it as a platform does, which it must survive well, and gives its log.
    pub(crate) async fn end(mut self) -> String {
        terminate(&self.child).await;
        let log = within(self.log).await.unwrap();
        assert_eq!(within(self.child.wait()).await.unwrap().code(), Some(0), "{log}");
        log
    }
}

async fn terminate(child: &Child) {
    let pid = child.id().unwrap().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .unwrap()
            .success()
    );
}

#[tokio::test]
async fn migrate_brings_the_schema_up_once_however_many_try() {
    let database = cluster::empty().await;
    let url = database.url();
    let (mut first, mut second, mut third) = (task_tracker(&url), task_tracker(&url), task_tracker(&url));
    let runs = tokio::join!(
        outcome(first.arg("migrate")),
        outcome(second.arg("migrate")),
        outcome(third.arg("migrate"))
    );
    let mut applied = 0;
    for (code, out, error) in [runs.0, runs.1, runs.2] {
        assert_eq!((code, error.as_str()), (Some(0), ""), "{out}");
        if out.contains("applied 0001 projects and tasks in ") {
            applied += 1;
        } else {
            assert!(out.ends_with("the schema is up to date\n"), "{out}");
        }
    }
    assert_eq!(applied, 1);
}

#[tokio::test]
async fn migrate_says_what_it_would_do_what_stands_and_what_undoing_would_lose() {
    let database = cluster::empty().await;
    let run = async |arguments: &str| {
        let mut command = task_tracker(&database.url());
        outcome(command.arg("migrate").args(arguments.split_whitespace())).await
    };
    let (code, out, _) = run("--check").await;
    assert_eq!(code, Some(3), "{out}");
    let (code, out, _) = run("--plan").await;
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("0001 projects and tasks (expand, in one transaction)\n"),
        "{out}"
    );
    assert_eq!(run("").await.0, Some(0));
    assert_eq!(run("--check").await.0, Some(0));

    let (_, out, _) = run("--status --output json").await;
    let status: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&status["v"], &status["event"]), (&1.into(), &"status".into()));
    assert_eq!(status["applied"][0]["name"], "projects and tasks");
    assert_eq!(status["release"]["needs"], status["version"]);

    let mut connection = database.connect().await;
    sqlx::raw_sql("insert into projects (id, name) values (gen_random_uuid(), 'kept')")
        .execute(&mut connection)
        .await
        .unwrap();
    let (code, out, _) = run("--to 0 --plan").await;
    assert_eq!(code, Some(0));
    assert!(out.contains("lost: projects.* in 1 rows"), "{out}");
    let (code, out, error) = run("--to 0").await;
    assert_eq!(code, Some(4), "{out}");
    assert!(
        error.contains("projects.* in 1 rows") && error.contains("--accept-data-loss=projects.*:1"),
        "{error}"
    );
    let (code, out, error) = run("--to 0 --accept-data-loss=projects.*:1 --output json").await;
    assert_eq!(code, Some(0), "{error}");
    let told: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ends: Vec<_> = told
        .iter()
        .rev()
        .take(2)
        .map(|fact| (&fact["event"], &fact["version"]))
        .collect();
    assert_eq!(
        ends,
        [(&"status".into(), &0.into()), (&"done".into(), &0.into())],
        "{out}"
    );
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    sqlx::raw_sql("update _sqlx_migrations set checksum = ''::bytea where version = 1")
        .execute(&mut connection)
        .await
        .unwrap();
    let (code, _, error) = outcome(task_tracker(&database.url()).arg("migrate")).await;
    assert_eq!(code, Some(8));
    assert!(
        error.starts_with(
            "task-tracker: the files are not those that were applied; nothing was changed: migration 0001 was edited \
             after it was applied (0001_projects_and_tasks.up.sql)\n  next: "
        ),
        "{error}"
    );
}

#[tokio::test]
async fn serve_ends_well_after_one_sigterm() {
    let database = cluster::migrated().await;
    let mut child = task_tracker(&database.url()).arg("serve").spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address: SocketAddr = loop {
        let line = within(lines.next_line())
            .await
            .unwrap()
            .expect("it serves before it ends");
        if let Some((_, rest)) = line.split_once("api=") {
            break rest.split_whitespace().next().unwrap().parse().unwrap();
        }
    };
    let reply = Api::at(address).get("/readyz").await.expect(200);
    assert_eq!(reply.header("x-release"), "1.2.3");
    assert_eq!(health_of(address).await, (Some(0), String::new()));
    terminate(&child).await;
    while within(lines.next_line()).await.unwrap().is_some() {}
    assert_eq!(within(child.wait()).await.unwrap().code(), Some(0));
    let (code, complaint) = health_of(address).await;
    assert_eq!(code, Some(1));
    assert!(
        complaint.starts_with(&format!("task-tracker: nobody answers at http://{address}/livez: ")),
        "{complaint}"
    );
}

/// As a platform asks: without a database. Exit code and standard error.
async fn health_of(address: SocketAddr) -> (Option<i32>, String) {
    let port = address.port().to_string();
    let (code, _, complaint) = outcome(
        task_tracker("")
            .env_remove("DATABASE_URL")
            .env("PORT", &port)
            .arg("health"),
    )
    .await;
    (code, complaint)
}

#[tokio::test]
async fn serve_on_an_old_schema_says_what_to_do() {
    let database = cluster::empty().await;
    let (code, _, error) = outcome(task_tracker(&database.url()).arg("serve")).await;
    assert_eq!(code, Some(1));
    let expected = format!("task-tracker: refused to serve: {}\n", cluster::needs_its_schema());
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_password_is_never_printed() {
    for (url, word) in [
        (
            "postgres://app:hunter2@127.0.0.1:1/tasks",
            "could not read the schema version",
        ),
        (
            "postgres://app:hunter2@127.0.0.1:port/tasks",
            "DATABASE_URL is not a PostgreSQL URL",
        ),
        ("app:hunter2@127.0.0.1", "DATABASE_URL is not a PostgreSQL URL"),
        ("", "DATABASE_URL is not set"),
    ] {
        let mut command = task_tracker(url);
        command
            .arg("serve")
            .env("DATABASE_START_SECONDS", "0")
            .env("DATABASE_ACQUIRE_SECONDS", "0.2")
            .env("LOG", "trace");
        let (code, out, error) = outcome(&mut command).await;
        assert_eq!(code, Some(1));
        assert!(error.contains(word), "{error}");
        assert!(!error.contains("hunter2") && !out.contains("hunter2"), "{out}{error}");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let database = cluster::migrated().await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (code, _, error) = outcome(task_tracker(&database.url()).arg("serve").env("PORT", &port)).await;
    assert_eq!(code, Some(1));
    assert!(
        error.starts_with(&format!("task-tracker: could not listen on 127.0.0.1:{port}: ")),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_kept_about_a_user_is_printed_and_erased_when_its_time_has_come() {
    let database = cluster::migrated().await;
    let (user, _) = database.user("bob").await;
    let url = database.url();
    let (code, out, _) = outcome(task_tracker(&url).args(["export", &user.to_string()])).await;
    let kept: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &kept["account"]["name"]), (Some(0), &json!("bob")));
    let nobody = uuid::Uuid::now_v7().to_string();
    let (code, _, error) = outcome(task_tracker(&url).args(["export", &nobody])).await;
    assert_eq!(code, Some(1));
    assert!(
        error.starts_with(&format!("task-tracker: there is no user `{nobody}`")),
        "{error}"
    );

    sqlx::raw_sql("update users set erase_after = now()")
        .execute(&mut database.connect().await)
        .await
        .unwrap();
    for expected in ["erased 1 users\n", "erased 0 users\n"] {
        let (code, out, _) = outcome(task_tracker(&url).arg("erase")).await;
        assert_eq!((code, out.as_str()), (Some(0), expected));
    }
}

//! The release before this one, as a program, beside this one on one schema: what users meet during a blue-green deploy, and
//! after a rollback.
//!
//! `cargo xtask previous-release` builds that program from the history; its schema may be several migrations behind.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use hyper::Method;
use serde_json::{Value, json};
use task_tracker::migrate;
use tokio::task::JoinHandle;

use crate::{
    api::Api,
    cluster,
    command::{outcome, release, serving, task_tracker},
    following::Stream,
    line::skipped,
};

const PASSWORD: &str = "correct horse battery";

/// What the release before says of a task, too.
const SAID_BY_BOTH: [&str; 13] = [
    "id",
    "project_id",
    "title",
    "description",
    "status",
    "priority",
    "due_at",
    "rank",
    "assignee_ids",
    "label_ids",
    "version",
    "created_at",
    "updated_at",
];

#[tokio::test]
async fn two_releases_share_a_schema_and_the_older_one_goes_on_alone() {
    let Some(program) = previous_release() else {
        return skipped("no release runs beside this one: `cargo xtask previous-release` builds it from the history");
    };
    let database = cluster::empty().await;
    let (code, out, complaint) = outcome(release(&program, &database.url()).arg("migrate")).await;
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{out}");
    let older = serving(release(&program, &database.url())).await;
    let there = register(&Api::at(older.address)).await;
    let project = there.project().await;

    let work = Work::begin(&there, &project);
    migrate::to_latest(&database.parsed_url(), Duration::from_secs(30))
        .await
        .unwrap();
    let newer = serving(task_tracker(&database.url())).await;
    let here = there.elsewhere(newer.address);
    for (maker, other) in [(&there, &here), (&here, &there)] {
        hand_a_task_over(maker, other, &project).await;
        share_who_is_logged_in(maker, other).await;
    }
    let (whole, half) = use_what_is_new(&here, &project).await;
    let made = work.end().await;
    assert_eq!(titled(&here, &project, "steady").await, made);
    newer.end().await;

    assert_eq!(titled(&there, &project, "steady").await, made);
    assert_eq!(there.get(&at(&half)).await.expect(200).body["title"], "half");
    there.delete(&at(&whole), "*").await.expect(204);
    there
        .delete(&format!("/api/v1/projects/{project}"), "*")
        .await
        .expect(204);
    let log = older.end().await;
    assert!(!log.contains("ERROR"), "{log}");
}

fn previous_release() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("previous-release");
    Some(folder.join("task-tracker")).filter(|program| program.is_file())
}

async fn register(api: &Api) -> Api {
    let new = json!({ "email": "ann@example.com", "name": "Ann", "password": PASSWORD });
    let registered = api.post("/api/v1/accounts", new).await.expect(201);
    api.with_session(registered.session())
}

fn at(task: &str) -> String {
    format!("/api/v1/tasks/{task}")
}

/// Somebody who makes one task after another while the schema changes and the other release comes.
struct Work {
    is_enough: Arc<AtomicBool>,
    working: JoinHandle<usize>,
}

impl Work {
    fn begin(api: &Api, project: &str) -> Self {
        let is_enough = Arc::new(AtomicBool::new(false));
        let working = tokio::spawn({
            let (api, project, is_enough) = (api.afresh(), project.to_owned(), Arc::clone(&is_enough));
            async move {
                let mut made = 0;
                while !is_enough.load(Ordering::Relaxed) {
                    api.task(&project, "steady").await;
                    made += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                made
            }
        });
        Self { is_enough, working }
    }

    /// How many tasks there must be.
    async fn end(self) -> usize {
        self.is_enough.store(true, Ordering::Relaxed);
        self.working.await.unwrap()
    }
}

fn tasks(project: &str, query: &str) -> String {
    format!("/api/v1/projects/{project}/tasks?limit=100&{query}")
}

async fn titled(api: &Api, project: &str, title: &str) -> usize {
    let all = api.every(&tasks(project, "")).await;
    all.iter().filter(|task| task["title"] == title).count()
}

/// Everything that can be done with a task, half of it at one release and half at the other.
async fn hand_a_task_over(maker: &Api, other: &Api, project: &str) {
    let mut heard = Stream::open(other, project, None).await;
    let word = format!("gooseberry{}", uuid::Uuid::new_v4().simple());
    let label = json!({ "name": word, "colour": "#22aa44" });
    let labels = format!("/api/v1/projects/{project}/labels");
    let label = other.post(&labels, label).await.expect(201).id();
    let new = json!({ "title": word, "due_at": "2031-05-01T10:00:00Z", "label_ids": [label] });

    // A client that did not hear the answer asks again, and meets the other release.
    let path = format!("/api/v1/projects/{project}/tasks");
    let first = maker.keyed(Method::POST, &path, &word, &new).await.expect(201);
    let again = other.keyed(Method::POST, &path, &word, &new).await.expect(201);
    assert_eq!(said(&again.body), said(&first.body));
    assert_eq!(again.header("etag"), first.header("etag"));
    let task = first.id();
    let seen = other.get(&at(&task)).await.expect(200);
    assert_eq!(said(&seen.body), said(&first.body));
    assert_eq!(seen.header("etag"), first.header("etag"));
    until_heard(&mut heard, "task.created", &task).await;

    let done = other
        .patch(&at(&task), first.header("etag"), json!({ "status": "done" }))
        .await
        .expect(200);
    let late = json!({ "title": "too late" });
    maker.patch(&at(&task), first.header("etag"), late).await.expect(412);
    let seen = maker.get(&at(&task)).await.expect(200);
    assert_eq!(said(&seen.body), said(&done.body));
    until_heard(&mut heard, "task.changed", &task).await;

    let neighbour = other.task(project, "neighbour").await;
    let place = json!({ "after": neighbour });
    maker.move_to(&task, &place).await.expect(200);
    for api in [maker, other] {
        let found = api.every(&tasks(project, &format!("q={word}"))).await;
        assert_eq!(found.len(), 1, "{found:?}");
        let board = api.every(&tasks(project, "sort=rank")).await;
        let place = |id: &str| board.iter().position(|task| task["id"] == id).unwrap();
        assert!(place(&neighbour) < place(&task));
    }

    let comments = format!("{}/comments", at(&task));
    maker
        .post(&comments, json!({ "body": "mind the thorns" }))
        .await
        .expect(201);
    let read = other.get(&comments).await.expect(200).body;
    assert_eq!(read["items"][0]["body"], "mind the thorns");
    other.delete(&at(&task), "*").await.expect(204);
    maker.get(&at(&task)).await.expect(404);
    until_heard(&mut heard, "task.deleted", &task).await;
}

fn said(task: &Value) -> Vec<&Value> {
    SAID_BY_BOTH.iter().map(|field| &task[field]).collect()
}

async fn until_heard(heard: &mut Stream, action: &str, task: &str) {
    loop {
        let (_, heard, data) = heard.next().await.expect("the stream goes on");
        if heard == action && data["target_id"] == task {
            return;
        }
    }
}

/// A session of one release is a session of the other, until it is ended at either.
async fn share_who_is_logged_in(maker: &Api, other: &Api) {
    let login = json!({ "email": "ann@example.com", "password": PASSWORD });
    let session = maker.anonymous().post("/api/v1/session", login).await.expect(200);
    let (maker, other) = (
        maker.with_session(session.session()),
        other.with_session(session.session()),
    );
    other.get("/api/v1/me").await.expect(200);
    other.delete("/api/v1/session", "*").await.expect(204);
    maker.get("/api/v1/me").await.expect(401);
}

/// Rows that the older release has no idea of, on a task and its part.
async fn use_what_is_new(here: &Api, project: &str) -> (String, String) {
    let whole = here.task(project, "whole").await;
    let half = json!({ "title": "half", "parent_id": whole });
    let path = format!("/api/v1/projects/{project}/tasks");
    let half = here.post(&path, half).await.expect(201).id();
    let reminder = json!({ "at": "2031-05-01T10:00:00Z" });
    let reminders = format!("{}/reminders", at(&half));
    here.post(&reminders, reminder).await.expect(201);
    (whole, half)
}

//! What changes along with something else: each such task has a new version, and its followers hear of it.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::Api,
    command::{outcome, task_tracker},
    following::Stream,
    instance::{Instance, another_on, start},
    line::until,
    portions::at_most,
};

async fn made(api: &Api, project: &str, new: Value) -> String {
    let path = format!("/api/v1/projects/{project}/tasks");
    api.post(&path, new).await.expect(201).id()
}

async fn label(api: &Api, project: &str) -> String {
    let path = format!("/api/v1/projects/{project}/labels");
    let new = json!({ "name": "urgent", "colour": "#ff0000" });
    api.post(&path, new).await.expect(201).id()
}

/// The next events, as far as they are about tasks: which, what was, and what is.
async fn next_changes(stream: &mut Stream, field: &str, count: usize) -> Vec<(String, Value, Value)> {
    let mut changes = Vec::new();
    for _ in 0..count {
        let (_, action, data) = stream.next().await.unwrap();
        assert_eq!(action, "task.changed", "{data}");
        assert_eq!(
            data["after"]["version"],
            data["before"]["version"].as_i64().unwrap() + 1
        );
        let target = data["target_id"].as_str().unwrap().to_owned();
        changes.push((target, data["before"][field].clone(), data["after"][field].clone()));
    }
    changes.sort_by(|one, other| one.0.cmp(&other.0));
    changes
}

#[tokio::test]
async fn tasks_that_lose_a_label_say_so() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (gone, kept) = (label(api, &project).await, {
        let path = format!("/api/v1/projects/{project}/labels");
        api.post(&path, json!({ "name": "later", "colour": "#00ff00" }))
            .await
            .expect(201)
            .id()
    });
    let one = made(api, &project, json!({ "title": "one", "label_ids": [gone] })).await;
    let two = made(api, &project, json!({ "title": "two", "label_ids": [gone, kept] })).await;
    let other = made(api, &project, json!({ "title": "other", "label_ids": [kept] })).await;
    let mut stream = Stream::open(api, &project, None).await;
    api.delete(&format!("/api/v1/projects/{project}/labels/{gone}"), "*")
        .await
        .expect(204);
    assert_eq!(stream.next().await.unwrap().1, "label.deleted");
    let expected = [
        (one.clone(), json!([gone]), json!([])),
        (two, json!([gone, kept]), json!([kept])),
    ];
    assert_eq!(next_changes(&mut stream, "label_ids", 2).await, expected);
    let seen = api.get(&format!("/api/v1/tasks/{one}")).await.expect(200);
    assert_eq!((seen.header("etag"), &seen.body["label_ids"]), ("\"2\"", &json!([])));
    let seen = api.get(&format!("/api/v1/tasks/{other}")).await.expect(200);
    assert_eq!(seen.header("etag"), "\"1\"");
}

#[tokio::test]
async fn parts_that_stand_by_themselves_say_so() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let whole = api.task(&project, "whole").await;
    let part = made(api, &project, json!({ "title": "part", "parent_id": whole })).await;
    let below = made(api, &project, json!({ "title": "below", "parent_id": part })).await;
    let mut stream = Stream::open(api, &project, None).await;
    api.delete(&format!("/api/v1/tasks/{whole}"), "*").await.expect(204);
    assert_eq!(stream.next().await.unwrap().1, "task.deleted");
    assert_eq!(
        next_changes(&mut stream, "parent_id", 1).await,
        [(part.clone(), json!(whole), Value::Null)]
    );
    let many = json!({ "tasks": [{ "id": part, "version": 2 }], "delete": {} });
    api.post(&format!("/api/v1/projects/{project}/tasks/bulk"), many)
        .await
        .expect(200);
    assert_eq!(stream.next().await.unwrap().1, "task.deleted");
    assert_eq!(
        next_changes(&mut stream, "parent_id", 1).await,
        [(below, json!(part), Value::Null)]
    );
}

/// Assignees are members: one who goes is taken off, or the list could not even be sent back as it was read.
#[tokio::test]
async fn whoever_goes_is_taken_off_the_tasks() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let me = api.get("/api/v1/me").await.expect(200).id();
    for leaves in [false, true] {
        let (bob_id, bob) = service.member(&project, "bob", "editor").await;
        let task = made(api, &project, json!({ "title": "dig", "assignee_ids": [me, bob_id] })).await;
        let mut stream = Stream::open(api, &project, None).await;
        let who = if leaves { &bob } else { api };
        let path = format!("/api/v1/projects/{project}/members/{bob_id}");
        who.delete(&path, "*").await.expect(204);
        assert_eq!(stream.next().await.unwrap().1, "member.removed");
        let mut before = [json!(me), json!(bob_id)];
        before.sort_by_key(Value::to_string);
        assert_eq!(
            next_changes(&mut stream, "assignee_ids", 1).await,
            [(task.clone(), json!(before), json!([me]))]
        );
        let path = format!("/api/v1/tasks/{task}");
        let seen = api.get(&path).await.expect(200);
        let same = json!({ "assignee_ids": seen.body["assignee_ids"] });
        api.patch(&path, "\"2\"", same).await.expect(200);
    }
}

#[tokio::test]
async fn whoever_is_erased_is_taken_off_the_tasks_and_not_named() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (bob_id, _) = service.member(&project, "bob", "owner").await;
    let task = made(api, &project, json!({ "title": "dig", "assignee_ids": [bob_id] })).await;
    let mut connection = service.database.connect().await;
    sqlx::query("update users set erase_after = now() where id = $1")
        .bind(bob_id)
        .execute(&mut connection)
        .await
        .unwrap();
    let mut stream = Stream::open(api, &project, None).await;
    let (code, _, complaint) = outcome(task_tracker(&service.database.url()).arg("erase")).await;
    assert_eq!(code, Some(0), "{complaint}");
    let changes = next_changes(&mut stream, "assignee_ids", 1).await;
    assert_eq!((&changes[0].0, &changes[0].2), (&task, &json!([])));
    assert!(!changes[0].1.to_string().contains(&bob_id.to_string()), "{changes:?}");
    let seen = api.get(&format!("/api/v1/tasks/{task}")).await.expect(200);
    assert_eq!((seen.header("etag"), &seen.body["assignee_ids"]), ("\"2\"", &json!([])));
}

/// More than a statement should take at once.
async fn many(service: &Instance, project: &str, column: &str, one: &str) {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "insert into tasks (id, project_id, title, {column})
         select gen_random_uuid(), $1, 'dig', array[$2] from generate_series(1, 2600)"
    )))
    .bind(project.parse::<Uuid>().unwrap())
    .bind(one.parse::<Uuid>().unwrap())
    .execute(&mut service.database.connect().await)
    .await
    .unwrap();
}

/// Tasks that have it still, tasks with a second version, events of that, and who is said to have done it.
async fn standing(service: &Instance, column: &str, one: &str) -> (i64, i64, i64, i64) {
    sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "select (select count(*) from tasks where $1 = any({column})), (select count(*) from tasks where version = 2),
                (select count(distinct target_id) from events where action = 'task.changed' and before ? '{column}'),
                (select count(distinct actor_id) from events where action = 'task.changed')"
    )))
    .bind(one.parse::<Uuid>().unwrap())
    .fetch_one(&mut service.database.connect().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn of_very_many_tasks_each_changes_once_whoever_is_at_it() {
    for column in ["label_ids", "assignee_ids"] {
        let service = start("").await;
        let (api, project) = (&service.api, service.api.project().await);
        let (one, path) = if column == "label_ids" {
            let label = label(api, &project).await;
            (label.clone(), format!("/api/v1/projects/{project}/labels/{label}"))
        } else {
            let (bob, _) = service.member(&project, "bob", "editor").await;
            (bob.to_string(), format!("/api/v1/projects/{project}/members/{bob}"))
        };
        many(&service, &project, column, &one).await;
        at_most(&mut service.database.connect().await, 1000, &["tasks"]).await;
        let other = another_on(&service.database.parsed_url(), "").await;
        api.delete(&path, "*").await.expect(204);
        let (left, ..) = standing(&service, column, &one).await;
        assert!(left <= 1600, "a thousand at once, and {left} are left");
        until("all of them are done", async || {
            standing(&service, column, &one).await.0 == 0
        })
        .await;
        assert_eq!(standing(&service, column, &one).await, (0, 2600, 2600, 1));
        until("nothing is left to do", async || {
            let left: i64 = sqlx::query_scalar("select count(*) from leftovers")
                .fetch_one(&mut service.database.connect().await)
                .await
                .unwrap();
            left == 0
        })
        .await;
        other.lifecycle.interrupt();
        assert_eq!(other.ended().await, Ok(()));
    }
}

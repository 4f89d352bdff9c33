//! Which task is a part of which: what may be, what is shown of it, and what becomes of the parts.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{api::Api, instance::start};

async fn part_of(api: &Api, project: &str, parent: &str) -> String {
    let path = format!("/api/v1/projects/{project}/tasks");
    let new = json!({ "title": "part", "parent_id": parent });
    let made = api.post(&path, new).await.expect(201);
    assert_eq!(made.body["parent_id"], parent);
    made.id()
}

async fn put_below(api: &Api, task: &str, parent: Value) -> u16 {
    let path = format!("/api/v1/tasks/{task}");
    let reply = api.patch(&path, "*", json!({ "parent_id": parent })).await;
    if reply.status == 200 {
        assert_eq!(reply.body["parent_id"], parent);
    }
    reply.status.as_u16()
}

async fn seen(api: &Api, task: &str) -> Value {
    api.get(&format!("/api/v1/tasks/{task}")).await.expect(200).body
}

#[tokio::test]
async fn a_task_shows_its_parts_and_how_many_are_done() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let whole = api.task(&project, "whole").await;
    assert_eq!(seen(api, &whole).await["subtasks"], json!({ "total": 0, "done": 0 }));
    let mut parts = Vec::new();
    for _ in 0..3 {
        parts.push(part_of(api, &project, &whole).await);
    }
    let below = part_of(api, &project, &parts[0]).await;
    let done = json!({ "status": "done" });
    for task in [&parts[1], &below] {
        api.patch(&format!("/api/v1/tasks/{task}"), "*", done.clone())
            .await
            .expect(200);
    }
    let shown = seen(api, &whole).await;
    assert_eq!(
        (&shown["subtasks"], &shown["parent_id"], &shown["version"]),
        (&json!({ "total": 3, "done": 1 }), &Value::Null, &json!(1)),
        "its own parts, not theirs, and no new version"
    );
    let ids = async |query: &str| {
        let page = api
            .get(&format!("/api/v1/projects/{project}/tasks?{query}"))
            .await
            .expect(200);
        let items = page.body["items"].as_array().unwrap().clone();
        let ids = items.iter().map(|item| item["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids("").await.len(), 5, "subtasks are in the list like any other");
    assert_eq!(ids(&format!("parent={whole}")).await, parts);
    assert_eq!(ids(&format!("parent={whole}&status=done")).await, [parts[1].clone()]);
    assert_eq!(ids("parent=none").await, [whole]);
    // What was made with an id of the client's choice is the same when it is sent again, unless its parent differs.
    let new = json!({ "id": Uuid::now_v7(), "title": "again", "parent_id": parts[2] });
    let tasks = format!("/api/v1/projects/{project}/tasks");
    api.post(&tasks, new.clone()).await.expect(201);
    api.post(&tasks, new.clone()).await.expect(200);
    let mut other = new;
    other["parent_id"] = json!(parts[1]);
    assert_eq!(api.post(&tasks, other).await.expect(409).problem(), "id-taken");
}

#[tokio::test]
async fn parts_go_along_with_their_task_and_stay_when_it_is_deleted() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (old, new) = (api.task(&project, "old").await, api.task(&project, "new").await);
    let part = part_of(api, &project, &old).await;
    let below = part_of(api, &project, &part).await;

    assert_eq!(put_below(api, &part, json!(new)).await, 200);
    assert_eq!(seen(api, &old).await["subtasks"]["total"], 0);
    assert_eq!(seen(api, &new).await["subtasks"]["total"], 1);
    assert_eq!(seen(api, &below).await["parent_id"], json!(part));

    let path = format!("/api/v1/tasks/{below}");
    let stale = api.get(&path).await.expect(200).header("etag").to_owned();
    api.delete(&format!("/api/v1/tasks/{part}"), "*").await.expect(204);
    let freed = seen(api, &below).await;
    assert_eq!(freed["parent_id"], Value::Null);
    api.patch(&path, &stale, json!({ "title": "as it was" }))
        .await
        .expect(412);
    assert_eq!(seen(api, &new).await["subtasks"]["total"], 0);

    assert_eq!(put_below(api, &below, json!(old)).await, 200);
    assert_eq!(put_below(api, &below, Value::Null).await, 200);
    let activity = api
        .get(&format!("/api/v1/projects/{project}/activity?limit=1"))
        .await
        .expect(200);
    let last = &activity.body["items"][0];
    assert_eq!(
        (
            &last["action"],
            &last["before"]["parent_id"],
            &last["after"]["parent_id"]
        ),
        (&json!("task.changed"), &json!(old), &Value::Null)
    );
}

#[tokio::test]
async fn what_would_be_no_tree_is_refused() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let elsewhere = api.task(&api.project().await, "elsewhere").await;
    let mut chain = vec![api.task(&project, "0").await];
    for _ in 1..5 {
        chain.push(part_of(api, &project, chain.last().unwrap()).await);
    }
    let two = api.task(&project, "two").await;
    part_of(api, &project, &two).await;
    for (task, parent, expected) in [
        (&chain[0], &chain[0], 422),
        (&chain[0], &chain[4], 422),
        (&chain[1], &chain[2], 422),
        (&two, &elsewhere, 422),
        (&two, &Uuid::now_v7().to_string(), 422),
        (&two, &chain[3], 422),
        (&two, &chain[2], 200),
        (&two, &chain[2], 200),
    ] {
        assert_eq!(
            put_below(api, task, json!(parent)).await,
            expected,
            "{task} below {parent}"
        );
    }
    let path = format!("/api/v1/projects/{project}/tasks");
    for parent in [&chain[4], &elsewhere] {
        let refused = api
            .post(&path, json!({ "title": "x", "parent_id": parent }))
            .await
            .expect(422);
        assert_eq!(refused.problem(), "rule");
    }
    let all = api.get(&path).await.expect(200).body;
    assert_eq!(
        all["items"].as_array().unwrap().len(),
        7,
        "what was refused was not made"
    );

    // A hundred and no more, and that in one request or in many.
    let mut connection = service.database.connect().await;
    sqlx::query(
        "with made as (
            insert into tasks (id, project_id, title) select gen_random_uuid(), $1, 'x' from generate_series(1, 98)
            returning id
         ) insert into subtasks (task_id, parent_id, project_id) select id, $2, $1 from made",
    )
    .bind(project.parse::<Uuid>().unwrap())
    .bind(two.parse::<Uuid>().unwrap())
    .execute(&mut connection)
    .await
    .unwrap();
    part_of(api, &project, &two).await;
    api.post(&path, json!({ "title": "x", "parent_id": two }))
        .await
        .expect(422);
}

/// Each of these moves is fine by itself.
#[tokio::test]
async fn moves_at_once_never_make_a_circle_or_lose_a_task() {
    const TASKS: usize = 6;
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let mut ids = Vec::new();
    for number in 0..TASKS {
        ids.push(api.task(&project, &format!("{number}")).await);
    }
    let mut people = JoinSet::new();
    for person in 0..6_usize {
        let (api, ids) = (api.clone(), ids.clone());
        people.spawn(async move {
            for turn in 0..15_usize {
                let (task, parent) = ((person + turn * 5) % TASKS, (person * 2 + turn * 3 + 1) % TASKS);
                let parent = if turn % 5 == 4 { Value::Null } else { json!(ids[parent]) };
                let status = put_below(&api, &ids[task], parent).await;
                assert!(status == 200 || status == 422, "{status}");
            }
        });
    }
    people.join_all().await;
    for id in &ids {
        let (mut place, mut steps) = (seen(api, id).await, 0);
        while let Some(parent) = place["parent_id"].as_str() {
            steps += 1;
            assert!(steps < 5, "{id} is too deep, or in a circle");
            place = seen(api, parent).await;
        }
    }
}

#[tokio::test]
async fn a_parent_that_goes_at_this_moment_leaves_no_half_made_task() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let path = format!("/api/v1/projects/{project}/tasks");
    for _ in 0..10 {
        let parent = api.task(&project, "parent").await;
        let place = format!("/api/v1/tasks/{parent}");
        let (made, deleted) = tokio::join!(
            api.post(&path, json!({ "title": "part", "parent_id": parent })),
            api.delete(&place, "*"),
        );
        assert_eq!(deleted.status, 204);
        match made.status.as_u16() {
            201 => assert_eq!(seen(api, &made.id()).await["parent_id"], Value::Null),
            422 => assert_eq!(made.problem(), "rule"),
            _ => panic!("{made:?}"),
        }
    }
}

//! Many tasks in one request.

use std::time::Instant;

use axum::body::Body;
use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    api::{Api, Reply},
    instance::start,
};

async fn bulk(api: &Api, project: &str, body: Value) -> Reply {
    api.post(&format!("/api/v1/projects/{project}/tasks/bulk"), body).await
}

fn named(ids: &[String]) -> Value {
    ids.iter().map(|id| json!({ "id": id })).collect()
}

async fn tasks(api: &Api, project: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(api.task(project, &format!("{number}")).await);
    }
    ids
}

async fn listed(api: &Api, project: &str) -> Vec<Value> {
    let path = format!("/api/v1/projects/{project}/tasks?sort=rank&limit=100");
    api.get(&path).await.expect(200).body["items"]
        .as_array()
        .unwrap()
        .clone()
}

/// One request with a hundred tasks is a hundred changes, or none.
#[tokio::test]
async fn each_task_counts_as_a_change() {
    let begun = Instant::now();
    let service = start("--writes-per-minute 10").await;
    let api = &service.api;
    // A change takes six seconds of the minute, which come back by and by.
    let are_taken = |reply: &Reply, changes: u64| {
        let (_, seconds) = reply.header("ratelimit").split_once(";t=").unwrap();
        let seconds: u64 = seconds.parse().unwrap();
        let back = begun.elapsed().as_secs() + 1;
        assert!(
            (changes * 6).saturating_sub(back) <= seconds && seconds <= changes * 6,
            "{changes}: {reply:?}"
        );
    };
    let project = api.project().await;
    let ids = tasks(api, &project, 3).await;
    let change = |ids: &[String], status: &str| json!({ "tasks": named(ids), "change": { "status": status } });
    let changed = bulk(api, &project, change(&ids, "in_progress")).await.expect(200);
    are_taken(&changed, 7);
    // What was refused was tried, and counts; but of what does not fit, only the trying.
    let nobody = |count: usize| (0..count).map(|_| Uuid::now_v7().to_string()).collect::<Vec<_>>();
    let refused = bulk(api, &project, change(&nobody(1), "done")).await.expect(404);
    are_taken(&refused, 8);
    let most = [&ids[..], &nobody(7)].concat();
    let refused = bulk(api, &project, change(&most, "done")).await.expect(429);
    assert_eq!(refused.problem(), "throttled");
    are_taken(&refused, 9);
    assert_eq!(refused.header("ratelimit-policy"), "\"writes\";q=10;w=60");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(wait <= 48 && wait + begun.elapsed().as_secs() + 1 >= 48, "{refused:?}");
    for task in listed(api, &project).await {
        assert_eq!(task["status"], "in_progress", "nothing was changed");
    }
    let (_, bob) = service.user("bob").await;
    let project = bob.project().await;
    let refused = bulk(&bob, &project, change(&nobody(12), "done")).await.expect(422);
    assert!(
        refused.body["detail"].as_str().unwrap().contains("send fewer"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn fields_of_many_change_together() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let me = api.get("/api/v1/me").await.expect(200).id();
    let (bob, _) = service.member(&project, "bob", "editor").await;
    let labels = format!("/api/v1/projects/{project}/labels");
    let label = api
        .post(&labels, json!({ "name": "red", "colour": "#ff0000" }))
        .await
        .expect(201)
        .id();
    let ids = tasks(api, &project, 4).await;
    let path = format!("/api/v1/tasks/{}", ids[0]);
    api.patch(&path, "*", json!({ "assignee_ids": [me] })).await.expect(200);

    let change = json!({
        "status": "in_progress", "priority": "high", "due_at": "2027-01-01T00:00:00Z", "parent_id": ids[3],
        "add_assignee_ids": [bob], "remove_assignee_ids": [me], "add_label_ids": [label],
    });
    let changed = bulk(api, &project, json!({ "tasks": named(&ids[..3]), "change": change }))
        .await
        .expect(200);
    let told = changed.body["tasks"].as_array().unwrap();
    let versions: Vec<_> = told
        .iter()
        .map(|task| (task["id"].as_str().unwrap(), &task["version"]))
        .collect();
    assert_eq!(
        versions,
        [(&*ids[0], &json!(3)), (&*ids[1], &json!(2)), (&*ids[2], &json!(2))]
    );
    for task in &listed(api, &project).await[..3] {
        assert_eq!(
            [&task["status"], &task["priority"], &task["due_at"], &task["parent_id"]],
            [
                &json!("in_progress"),
                &json!("high"),
                &json!("2027-01-01T00:00:00Z"),
                &json!(ids[3])
            ]
        );
        assert_eq!(
            (&task["assignee_ids"], &task["label_ids"]),
            (&json!([bob]), &json!([label]))
        );
    }
    let undone = json!({ "due_at": null, "parent_id": null, "remove_label_ids": [label] });
    bulk(api, &project, json!({ "tasks": named(&ids[..3]), "change": undone }))
        .await
        .expect(200);
    let first = &listed(api, &project).await[0];
    assert_eq!(
        [
            &first["due_at"],
            &first["parent_id"],
            &first["label_ids"],
            &first["status"]
        ],
        [&Value::Null, &Value::Null, &json!([]), &json!("in_progress")]
    );
}

#[tokio::test]
async fn many_are_moved_in_the_order_they_are_named_and_deleted_together() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let ids = tasks(api, &project, 6).await;
    let order = async || {
        let items = listed(api, &project).await;
        items
            .iter()
            .map(|item| item["title"].as_str().unwrap())
            .collect::<String>()
    };
    let pick = |numbers: &[usize]| named(&numbers.iter().map(|number| ids[*number].clone()).collect::<Vec<_>>());
    for (moved, place, expected) in [
        (&[4, 2][..], json!({ "before": ids[0] }), "420135"),
        (&[0, 5, 3], json!({ "after": ids[1] }), "421053"),
        (&[2, 4], json!({ "status": "done" }), "105324"),
    ] {
        let body = json!({ "tasks": pick(moved), "move": place });
        bulk(api, &project, body).await.expect(200);
        assert_eq!(order().await, expected);
    }
    let among_them = json!({ "tasks": pick(&[0, 1]), "move": { "after": ids[1] } });
    assert_eq!(bulk(api, &project, among_them).await.expect(422).problem(), "rule");

    // A part of what goes stands by itself, unless it goes too.
    for part in [&ids[1], &ids[2]] {
        let below = json!({ "parent_id": ids[0] });
        api.patch(&format!("/api/v1/tasks/{part}"), "*", below)
            .await
            .expect(200);
    }
    let gone = bulk(api, &project, json!({ "tasks": pick(&[0, 1, 5]), "delete": {} }))
        .await
        .expect(200);
    assert_eq!(gone.body, json!({ "tasks": [] }));
    assert_eq!(order().await, "324");
    assert_eq!(listed(api, &project).await[1]["parent_id"], Value::Null);
}

#[tokio::test]
async fn all_of_them_change_or_none() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (other, stranger) = (api.project().await, service.user("sam").await.0);
    let foreign = api.task(&other, "foreign").await;
    let ids = tasks(api, &project, 3).await;
    let rake = json!({ "title": "rake" });
    api.patch(&format!("/api/v1/tasks/{}", ids[1]), "*", rake)
        .await
        .expect(200);
    let done = json!({ "status": "done" });

    let stale = json!([{ "id": ids[0], "version": 1 }, { "id": ids[1], "version": 1 }, { "id": ids[2] }]);
    for action in ["change", "move", "delete"] {
        let mut body = json!({ "tasks": stale });
        body[action] = if action == "change" { done.clone() } else { json!({}) };
        let refused = bulk(api, &project, body).await.expect(412);
        assert_eq!(refused.problem(), "stale-version");
        assert_eq!(
            refused.body["refused"],
            json!([{ "id": ids[1], "version": 2 }]),
            "{action}"
        );
    }
    let nowhere = Uuid::now_v7().to_string();
    let missing = json!([{ "id": ids[0] }, { "id": foreign }, { "id": nowhere }, { "id": ids[1], "version": 1 }]);
    let refused = bulk(api, &project, json!({ "tasks": missing, "change": done }))
        .await
        .expect(404);
    let expected = json!([
        { "id": foreign, "version": null }, { "id": nowhere, "version": null }, { "id": ids[1], "version": 2 }
    ]);
    assert_eq!((refused.problem(), &refused.body["refused"]), ("not-found", &expected));

    for (wrong, problem) in [
        (
            json!({ "tasks": named(&ids), "change": { "add_assignee_ids": [stranger] } }),
            "rule",
        ),
        (
            json!({ "tasks": named(&ids), "change": { "parent_id": foreign } }),
            "rule",
        ),
        (
            json!({ "tasks": named(&ids), "change": { "parent_id": ids[0] } }),
            "rule",
        ),
        (
            json!({ "tasks": named(&[ids[0].clone(), ids[0].clone()]), "change": done }),
            "rule",
        ),
        (json!({ "tasks": [], "change": done }), "invalid"),
        (
            json!({ "tasks": named(&vec![nowhere; 101]), "change": done }),
            "invalid",
        ),
        (json!({ "tasks": named(&ids) }), "invalid"),
        (json!({ "tasks": named(&ids), "change": {} }), "invalid"),
        (json!({ "tasks": named(&ids), "change": done, "delete": {} }), "invalid"),
        (
            json!({ "tasks": [{ "id": ids[0], "version": 1.5 }], "change": done }),
            "invalid",
        ),
    ] {
        assert_eq!(
            bulk(api, &project, wrong.clone()).await.expect(422).problem(),
            problem,
            "{wrong}"
        );
    }
    let versions: Vec<Value> = listed(api, &project)
        .await
        .iter()
        .map(|task| task["version"].clone())
        .collect();
    assert_eq!(versions, [1, 2, 1], "nothing of it happened");
}

/// A hundred tasks are one statement: their events are of one transaction, which is what a statement is here.
#[tokio::test]
async fn a_hundred_are_one_statement_with_an_event_each_and_happen_once() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let ids: Vec<String> = (0..100).map(|_| Uuid::now_v7().to_string()).collect();
    let mut connection = service.database.connect().await;
    sqlx::query("insert into tasks (id, project_id, title) select id, $1, 'x' from unnest($2::uuid[]) as id")
        .bind(project.parse::<Uuid>().unwrap())
        .bind(ids.iter().map(|id| id.parse().unwrap()).collect::<Vec<Uuid>>())
        .execute(&mut connection)
        .await
        .unwrap();
    let send = async |body: &Value| {
        let path = format!("/api/v1/projects/{project}/tasks/bulk");
        let request = api
            .request(Method::POST, &path)
            .header("content-type", "application/json");
        let request = request.header("idempotency-key", "once");
        api.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let body = json!({ "tasks": named(&ids), "change": { "status": "done" } });
    let first = send(&body).await.expect(200);
    assert_eq!(send(&body).await.expect(200).body, first.body);
    assert_eq!(first.body["tasks"].as_array().unwrap().len(), 100);
    let other = json!({ "tasks": named(&ids), "delete": {} });
    assert_eq!(send(&other).await.expect(422).problem(), "idempotency-key-reused");
    let (events, transactions, targets): (i64, i64, i64) = sqlx::query_as(
        "select count(*), count(distinct tx), count(distinct target_id) from events
         where action = 'task.changed' and after = '{\"status\": \"done\", \"version\": 2}'::jsonb
               || jsonb_build_object('updated_at', after -> 'updated_at')",
    )
    .fetch_one(&mut connection)
    .await
    .unwrap();
    assert_eq!((events, transactions, targets), (100, 1, 100));
}

/// Two requests about the same tasks in another order do not wait for each other in a circle.
#[tokio::test]
async fn many_at_once_about_the_same_tasks_all_happen() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let ids = tasks(api, &project, 12).await;
    let mut people = JoinSet::new();
    for person in 0..6_usize {
        let (api, project, mut ids) = (api.clone(), project.clone(), ids.clone());
        people.spawn(async move {
            for turn in 0..5_usize {
                ids.rotate_left(person + turn);
                if turn % 2 == 0 {
                    ids.reverse();
                }
                let status = ["open", "in_progress", "done"][(person + turn) % 3];
                let change = json!({ "status": status });
                bulk(&api, &project, json!({ "tasks": named(&ids), "change": change }))
                    .await
                    .expect(200);
                bulk(&api, &project, json!({ "tasks": named(&ids), "move": {} }))
                    .await
                    .expect(200);
            }
        });
    }
    people.join_all().await;
    let left = listed(api, &project).await;
    assert_eq!(left.len(), 12);
    assert!(left.iter().all(|task| task["version"] == json!(61)), "{left:?}");
    assert!(left.windows(2).all(|pair| pair[0]["status"] == pair[1]["status"]));
}

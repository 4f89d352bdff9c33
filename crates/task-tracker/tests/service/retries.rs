//! Idempotency-Key: the same request twice, another under the same key, many at once.

use hyper::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::instance::{another_on, start};

#[tokio::test]
async fn a_change_sent_twice_happens_once_and_answers_the_same() {
    let service = start("").await;
    let api = &service.api;
    let project = api.project().await;
    let tasks = format!("/api/v1/projects/{project}/tasks");

    let first = api
        .keyed(Method::POST, &tasks, "a", &json!({ "title": "dig" }))
        .await
        .expect(201);
    let again = api
        .keyed(Method::POST, &tasks, "a", &json!({ "title": "dig" }))
        .await
        .expect(201);
    assert_eq!(
        (&again.body, again.header("etag"), again.header("location")),
        (&first.body, first.header("etag"), first.header("location"))
    );
    let task = first.header("location").to_owned();

    // By now If-Match no longer holds; the second still answers what the first did.
    for _ in 0..2 {
        let changed = api
            .keyed(Method::PATCH, &task, "b", &json!({ "title": "rake" }))
            .await
            .expect(200);
        assert_eq!(changed.body["version"], 2);
    }
    for _ in 0..2 {
        api.keyed(Method::DELETE, &format!("/api/v1/projects/{project}"), "c", &json!({}))
            .await
            .expect(204);
    }
    assert_eq!(
        api.keyed(Method::PATCH, &task, "b", &json!({ "title": "sow" }))
            .await
            .expect(422)
            .problem(),
        "idempotency-key-reused"
    );
    api.keyed(Method::PATCH, &task, "b c", &json!({ "title": "sow" }))
        .await
        .expect(400);
}

#[tokio::test]
async fn a_key_is_its_users_own() {
    let service = start("").await;
    let (_, other) = service.user("bob").await;
    let first = service
        .api
        .keyed(Method::POST, "/api/v1/projects", "a", &json!({ "name": "garden" }))
        .await
        .expect(201);
    let second = other
        .keyed(Method::POST, "/api/v1/projects", "a", &json!({ "name": "garden" }))
        .await
        .expect(201);
    assert_ne!(first.id(), second.id());
}

#[tokio::test]
async fn of_many_at_once_under_one_key_one_happens() {
    let service = start("").await;
    let mut posts = JoinSet::new();
    for _ in 0..20 {
        let api = service.api.clone();
        posts.spawn(async move {
            api.keyed(Method::POST, "/api/v1/projects", "a", &json!({ "name": "garden" }))
                .await
        });
    }
    let mut ids = Vec::new();
    for reply in posts.join_all().await {
        match reply.status.as_u16() {
            201 => ids.push(reply.id()),
            // On a machine so slow that the first is still at it.
            409 => assert_eq!(reply.problem(), "idempotency-key-in-use"),
            _ => panic!("{reply:?}"),
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
    let listed = service.api.get("/api/v1/projects").await.expect(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

/// What is kept for a repetition never holds a secret.
#[tokio::test]
async fn a_secret_is_shown_once() {
    let service = start("").await;
    let new = json!({ "name": "ci", "scopes": ["tasks:read"], "expires_in_days": 7 });
    let first = service
        .api
        .keyed(Method::POST, "/api/v1/tokens", "a", &new)
        .await
        .expect(201);
    let again = service
        .api
        .keyed(Method::POST, "/api/v1/tokens", "a", &new)
        .await
        .expect(201);
    assert_eq!(first.id(), again.id());
    assert!(first.body["token"].is_string() && again.body["token"].is_null());
}

#[tokio::test]
async fn writes_are_counted_and_refused_when_there_are_too_many() {
    let service = start("--writes-per-minute 3").await;
    for left in ["r=2", "r=1", "r=0"] {
        let reply = service
            .api
            .post("/api/v1/projects", json!({ "name": "garden" }))
            .await
            .expect(201);
        assert!(reply.header("ratelimit").contains(left), "{reply:?}");
        assert_eq!(reply.header("ratelimit-policy"), "\"writes\";q=3;w=60");
    }
    let refused = service
        .api
        .post("/api/v1/projects", json!({ "name": "garden" }))
        .await
        .expect(429);
    assert_eq!(refused.problem(), "throttled");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    service.api.get("/api/v1/projects").await.expect(200);
    let (_, other) = service.user("bob").await;
    other
        .post("/api/v1/projects", json!({ "name": "garden" }))
        .await
        .expect(201);
}

/// What was done is done, whatever has become since of what it was done beside.
#[tokio::test]
async fn a_repetition_is_answered_before_anything_is_looked_at_anew() {
    let service = start("--webhook-allow 127.0.0.1").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (task, neighbour) = (api.task(&project, "dig").await, api.task(&project, "rake").await);
    let path = format!("/api/v1/tasks/{task}/move");
    let place = json!({ "after": neighbour });
    let many = json!({ "tasks": [{ "id": api.task(&project, "sow").await }], "move": { "after": neighbour } });
    let bulk = format!("/api/v1/projects/{project}/tasks/bulk");
    let moved = api.keyed(Method::POST, &path, "a", &place).await.expect(200);
    let all = api.keyed(Method::POST, &bulk, "a", &many).await.expect(200);
    api.delete(&format!("/api/v1/tasks/{neighbour}"), "*").await.expect(204);
    assert_eq!(
        api.keyed(Method::POST, &path, "a", &place).await.expect(200).body,
        moved.body
    );
    assert_eq!(
        api.keyed(Method::POST, &bulk, "a", &many).await.expect(200).body,
        all.body
    );
    api.keyed(Method::POST, &path, "b", &place).await.expect(422);

    // An instance by which the address is no good any more.
    let stricter = another_on(&service.database.parsed_url(), "").await;
    let there = api.elsewhere(stricter.address);
    let hooks = format!("/api/v1/projects/{project}/webhooks");
    let new = json!({ "url": "http://127.0.0.1:9/" });
    let made = api.keyed(Method::POST, &hooks, "a", &new).await.expect(201);
    let again = there.keyed(Method::POST, &hooks, "a", &new).await.expect(201);
    assert_eq!((again.id(), &again.body["secret"]), (made.id(), &Value::Null));
    let hook = made.header("location");
    let other = json!({ "url": "http://127.0.0.1:10/" });
    let changed = api.keyed(Method::PATCH, hook, "b", &other).await.expect(200);
    let again = there.keyed(Method::PATCH, hook, "b", &other).await.expect(200);
    assert_eq!(again.body, changed.body);
    there.keyed(Method::PATCH, hook, "c", &other).await.expect(422);
}

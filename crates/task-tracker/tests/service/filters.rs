//! What somebody looks for again and again.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{api::Api, instance::start};

async fn titles(api: &Api, project: &str, query: &str) -> Vec<String> {
    let path = format!("/api/v1/projects/{project}/tasks?{query}");
    let page = api.get(&path).await.expect(200).body;
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["title"].as_str().unwrap().to_owned())
        .collect()
}

async fn saved(api: &Api, project: &str, audience: &str, filter: Value) -> String {
    let path = format!("/api/v1/projects/{project}/filters");
    let new = json!({ "name": "Again", "audience": audience, "filter": filter });
    let made = api.post(&path, new).await.expect(201);
    assert_eq!(made.body["filter"], filter);
    made.id()
}

#[tokio::test]
async fn a_saved_filter_is_the_query_it_was_saved_from() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let me = api.get("/api/v1/me").await.expect(200).id();
    let (bob_id, bob) = service.member(&project, "bob", "viewer").await;
    let tasks = format!("/api/v1/projects/{project}/tasks");
    for new in [
        json!({ "title": "a", "assignee_ids": [me] }),
        json!({ "title": "b", "assignee_ids": [bob_id], "priority": "high" }),
        json!({ "title": "c", "assignee_ids": [me], "status": "done" }),
        json!({ "title": "d bed", "assignee_ids": [me, bob_id], "priority": "high" }),
    ] {
        api.post(&tasks, new).await.expect(201);
    }
    let mine = saved(
        api,
        &project,
        "project",
        json!({ "assignee": "me", "status": "open", "sort": "rank" }),
    )
    .await;
    let query = format!("filter={mine}");
    assert_eq!(titles(api, &project, &query).await, ["a", "d bed"]);
    assert_eq!(
        titles(&bob, &project, &query).await,
        ["b", "d bed"],
        "`me` is whoever asks"
    );
    for (more, expected) in [
        ("&q=bed", &["d bed"][..]),
        ("&status=done", &["c"]),
        ("&priority=high", &["d bed"]),
        (&format!("&assignee={bob_id}"), &["b", "d bed"]),
        ("&parent=none&limit=1", &["a"]),
    ] {
        assert_eq!(
            titles(api, &project, &format!("{query}{more}")).await,
            expected,
            "{more}"
        );
    }

    // A page leads on as long as what is asked for is the same, wherever it was written.
    let page = api.get(&format!("{tasks}?{query}&limit=1")).await.expect(200).body;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(
        titles(api, &project, &format!("{query}&limit=1&cursor={cursor}")).await,
        ["d bed"]
    );
    let written = format!("assignee=me&status=open&sort=rank&cursor={cursor}");
    assert_eq!(titles(api, &project, &written).await, ["d bed"]);
    api.get(&format!("{tasks}?{query}&priority=high&cursor={cursor}"))
        .await
        .expect(400);
    let change = json!({ "filter": { "assignee": "me" } });
    let path = format!("/api/v1/projects/{project}/filters/{mine}");
    let changed = api.patch(&path, "\"1\"", change.clone()).await.expect(200);
    assert_eq!(
        (changed.header("etag"), &changed.body["name"]),
        ("\"2\"", &json!("Again"))
    );
    api.patch(&path, "\"1\"", change).await.expect(412);
    let refused = api.get(&format!("{tasks}?{query}&cursor={cursor}")).await.expect(400);
    assert_eq!(refused.problem(), "foreign-cursor");
    api.delete(&path, "\"2\"").await.expect(204);
    api.get(&format!("{tasks}?{query}")).await.expect(404);
}

#[tokio::test]
async fn what_one_saves_for_oneself_is_nobody_elses() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (_, vera) = service.member(&project, "vera", "viewer").await;
    let hers = saved(&vera, &project, "me", json!({ "q": "secret plan" })).await;
    let ours = saved(api, &project, "project", json!({})).await;
    let list = format!("/api/v1/projects/{project}/filters");
    let ids = async |api: &Api| {
        let page = api.get(&list).await.expect(200).body;
        let items = page["items"].as_array().unwrap().clone();
        items
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&vera).await, [hers.clone(), ours.clone()]);
    assert_eq!(ids(api).await, std::slice::from_ref(&ours));
    let path = format!("{list}/{hers}");
    let tasks = format!("/api/v1/projects/{project}/tasks?filter=");
    api.get(&format!("{tasks}{hers}")).await.expect(404);
    api.patch(&path, "*", json!({ "name": "mine" })).await.expect(404);
    api.delete(&path, "*").await.expect(404);
    let activity = api
        .get(&format!("/api/v1/projects/{project}/activity"))
        .await
        .expect(200)
        .body;
    assert!(!activity.to_string().contains("secret plan"), "{activity}");
    assert_eq!(activity["items"][0]["action"], "filter.created");

    let new = json!({ "name": "x", "audience": "project", "filter": {} });
    assert_eq!(vera.post(&list, new).await.expect(403).problem(), "forbidden");
    vera.delete(&format!("{list}/{ours}"), "*").await.expect(403);
    vera.patch(&path, "*", json!({ "name": "mine" })).await.expect(200);
    // In no other project, and not for who left this one.
    let other = vera.project().await;
    vera.get(&format!("/api/v1/projects/{other}/tasks?filter={hers}"))
        .await
        .expect(404);
    let me = vera.get("/api/v1/me").await.expect(200).id();
    api.delete(&format!("/api/v1/projects/{project}/members/{me}"), "*")
        .await
        .expect(204);
    vera.get(&format!("{tasks}{hers}")).await.expect(404);
    vera.patch(&path, "*", json!({ "name": "still mine" }))
        .await
        .expect(404);
}

#[tokio::test]
async fn what_is_saved_is_checked_as_a_query_would_be_and_against_its_project() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let other = api.project().await;
    let (foreign, stranger) = (api.task(&other, "x").await, service.user("sam").await.0);
    let own = saved(api, &project, "me", json!({})).await;
    let list = format!("/api/v1/projects/{project}/filters");
    for (filter, problem) in [
        (json!({ "status": "finished" }), "invalid"),
        (json!({ "stauts": "done" }), "invalid"),
        (json!({ "limit": 3 }), "invalid"),
        (json!({ "assignee": "you" }), "invalid"),
        (json!({ "q": "x".repeat(201) }), "invalid"),
        (json!({ "assignee": stranger }), "rule"),
        (json!({ "label": Uuid::now_v7() }), "rule"),
        (json!({ "parent": foreign }), "rule"),
    ] {
        let new = json!({ "name": "x", "audience": "me", "filter": filter });
        assert_eq!(api.post(&list, new).await.expect(422).problem(), problem, "{filter}");
        let change = json!({ "filter": filter });
        let refused = api.patch(&format!("{list}/{own}"), "*", change).await.expect(422);
        assert_eq!(refused.problem(), problem, "{filter}");
    }
    let mut connection = service.database.connect().await;
    sqlx::query(
        "insert into saved_filters (id, project_id, user_id, name, filter)
         select gen_random_uuid(), project_id, user_id, name, filter from saved_filters, generate_series(1, 99)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let new = json!({ "name": "x", "audience": "me", "filter": {} });
    assert_eq!(api.post(&list, new).await.expect(409).problem(), "conflict");
    saved(api, &project, "project", json!({})).await;
}

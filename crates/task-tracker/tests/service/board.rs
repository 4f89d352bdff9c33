//! A project's work: fields of tasks, labels, order, search, comments.

use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{api::Api, instance::start};

fn titles(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["title"].as_str().unwrap()).collect()
}

async fn listed(api: &Api, project: &str, query: &str) -> Value {
    api.get(&format!("/api/v1/projects/{project}/tasks?{query}"))
        .await
        .expect(200)
        .body
}

async fn label(api: &Api, project: &str, name: &str) -> String {
    let path = format!("/api/v1/projects/{project}/labels");
    let made = api
        .post(&path, json!({ "name": name, "colour": "#1E90ff" }))
        .await
        .expect(201);
    assert_eq!(made.body["colour"], "#1e90ff");
    made.id()
}

#[tokio::test]
async fn a_task_has_what_it_was_given_and_loses_what_is_taken_away() {
    let service = start("").await;
    let project = service.api.project().await;
    let (bob, _) = service.member(&project, "bob", "viewer").await;
    let urgent = label(&service.api, &project, "urgent").await;
    let tasks = format!("/api/v1/projects/{project}/tasks");
    let new = json!({
        "title": "dig", "priority": "high", "due_at": "2026-12-24T18:00:00+01:00",
        "assignee_ids": [bob, bob], "label_ids": [urgent],
    });
    let made = service.api.post(&tasks, new).await.expect(201);
    assert_eq!(made.body["due_at"], "2026-12-24T17:00:00Z");
    assert_eq!(
        (&made.body["assignee_ids"], &made.body["label_ids"]),
        (&json!([bob]), &json!([urgent]))
    );

    let path = made.header("location").to_owned();
    let changed = service
        .api
        .patch(
            &path,
            "*",
            json!({ "due_at": null, "assignee_ids": [], "priority": "low" }),
        )
        .await
        .expect(200);
    assert_eq!(
        (&changed.body["due_at"], &changed.body["assignee_ids"]),
        (&Value::Null, &json!([]))
    );
    assert_eq!(
        (&changed.body["label_ids"], &changed.body["title"]),
        (&json!([urgent]), &json!("dig"))
    );

    service
        .api
        .delete(&format!("/api/v1/projects/{project}/labels/{urgent}"), "*")
        .await
        .expect(204);
    assert_eq!(service.api.get(&path).await.expect(200).body["label_ids"], json!([]));
}

/// A child by a bare id, of a parent that was never checked, is how others get in.
#[tokio::test]
async fn nobody_and_nothing_of_another_project_gets_into_a_task() {
    let service = start("").await;
    let (stranger, _) = service.user("sam").await;
    let (project, other) = (service.api.project().await, service.api.project().await);
    let foreign = label(&service.api, &other, "foreign").await;
    let tasks = format!("/api/v1/projects/{project}/tasks");
    let task = format!("/api/v1/tasks/{}", service.api.task(&project, "dig").await);
    for wrong in [json!({ "assignee_ids": [stranger] }), json!({ "label_ids": [foreign] })] {
        let mut new = wrong.clone();
        new["title"] = "rake".into();
        service.api.post(&tasks, new).await.expect(422);
        service.api.patch(&task, "*", wrong).await.expect(422);
    }
    let path = format!("/api/v1/projects/{project}/labels/{foreign}");
    service
        .api
        .patch(&path, "*", json!({ "name": "mine" }))
        .await
        .expect(404);
    service.api.delete(&path, "*").await.expect(404);
    let elsewhere = service.api.task(&other, "sow").await;
    service
        .api
        .post(&format!("{task}/move"), json!({ "after": elsewhere }))
        .await
        .expect(428);
    let request = service
        .api
        .request(hyper::Method::POST, &format!("{task}/move"))
        .header("if-match", "*");
    let request = request.header("content-type", "application/json");
    let refused = service
        .api
        .send(request.body(json!({ "after": elsewhere }).to_string().into()).unwrap())
        .await;
    assert_eq!(refused.status, 422, "{refused:?}");
}

#[tokio::test]
async fn two_labels_of_one_name_would_be_one_too_many() {
    let service = start("").await;
    let project = service.api.project().await;
    label(&service.api, &project, "urgent").await;
    let other = label(&service.api, &project, "later").await;
    let path = format!("/api/v1/projects/{project}/labels");
    service
        .api
        .post(&path, json!({ "name": "urgent", "colour": "#000000" }))
        .await
        .expect(409);
    service
        .api
        .post(&path, json!({ "name": "x", "colour": "red" }))
        .await
        .expect(422);
    service
        .api
        .patch(&format!("{path}/{other}"), "*", json!({ "name": "urgent" }))
        .await
        .expect(409);
    let all = service.api.get(&path).await.expect(200).body;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn tasks_are_found_by_words_label_assignee_and_status() {
    let service = start("").await;
    let project = service.api.project().await;
    let me = service.api.get("/api/v1/me").await.expect(200).id();
    let green = label(&service.api, &project, "green").await;
    let tasks = format!("/api/v1/projects/{project}/tasks");
    for new in [
        json!({ "title": "Dig the bed", "description": "before the frost", "label_ids": [green] }),
        json!({ "title": "Sow carrots", "assignee_ids": [me] }),
        json!({ "title": "Water the bed", "status": "done" }),
    ] {
        service.api.post(&tasks, new).await.expect(201);
    }
    for (query, expected) in [
        ("q=BED", vec!["Dig the bed", "Water the bed"]),
        ("q=bed%20-water", vec!["Dig the bed"]),
        ("q=%22the%20frost%22", vec!["Dig the bed"]),
        ("q=%22%27%29%3B--", vec![]),
        (&format!("label={green}"), vec!["Dig the bed"]),
        (&format!("assignee={me}"), vec!["Sow carrots"]),
        ("q=bed&status=done", vec!["Water the bed"]),
        ("q=", vec![]),
        ("q=the", vec!["Dig the bed", "Water the bed"]),
    ] {
        assert_eq!(
            titles(&listed(&service.api, &project, query).await),
            expected,
            "{query}"
        );
    }
}

#[tokio::test]
async fn tasks_stand_where_they_are_put_on_every_page() {
    let service = start("").await;
    let project = service.api.project().await;
    let mut ids = Vec::new();
    for title in ["a", "b", "c", "d"] {
        ids.push(service.api.task(&project, title).await);
    }
    let order = async || -> String {
        let path = format!("/api/v1/projects/{project}/tasks?sort=rank&limit=3");
        let all = service.api.every(&path).await;
        all.iter().map(|task| task["title"].as_str().unwrap()).collect()
    };
    assert_eq!(order().await, "abcd");
    for (task, place, expected) in [
        (3, json!({ "before": ids[0] }), "dabc"),
        (0, json!({ "after": ids[1] }), "dbac"),
        (1, json!({}), "dacb"),
        (2, json!({ "after": ids[3], "status": "done" }), "dcab"),
        (0, json!({ "after": ids[1] }), "dcba"),
        (1, json!({}), "dcab"),
    ] {
        assert_eq!(service.api.move_to(&ids[task], &place).await.status, 200);
        assert_eq!(order().await, expected);
    }
    // A row that the release before made has no rank; it stands before all that were made since and not moved.
    sqlx::query("insert into tasks (id, project_id, title) values ($1, $2, 'o')")
        .bind(Uuid::now_v7())
        .bind(project.parse::<Uuid>().unwrap())
        .execute(&mut service.database.connect().await)
        .await
        .unwrap();
    assert_eq!(order().await, "docab");
    let both = json!({ "before": ids[0], "after": ids[1] });
    assert_eq!(service.api.move_to(&ids[2], &both).await.status, 422);
    assert_eq!(
        service.api.move_to(&ids[2], &json!({ "after": ids[2] })).await.status,
        422
    );
}

/// Everybody drags everything at once: a board never loses or doubles a card.
#[tokio::test]
async fn concurrent_moves_lose_and_double_nothing() {
    const CARDS: usize = 12;
    let service = start("").await;
    let project = service.api.project().await;
    let mut ids = Vec::new();
    for card in 0..CARDS {
        ids.push(service.api.task(&project, &format!("{card}")).await);
    }
    let mut people = JoinSet::new();
    for person in 0..6_usize {
        let (api, ids) = (service.api.clone(), ids.clone());
        people.spawn(async move {
            for turn in 0..20_usize {
                let (card, beside) = ((person * 7 + turn * 5) % CARDS, (person * 3 + turn * 11 + 1) % CARDS);
                if card == beside {
                    continue;
                }
                let side = if turn % 2 == 0 { "after" } else { "before" };
                let status = ["open", "in_progress", "done"][turn % 3];
                assert_eq!(
                    api.move_to(&ids[card], &json!({ side: ids[beside], "status": status }))
                        .await
                        .status,
                    200
                );
            }
        });
    }
    people.join_all().await;
    let page = listed(&service.api, &project, "sort=rank&limit=100").await;
    let items = page["items"].as_array().unwrap();
    let ranks: Vec<&str> = items.iter().map(|item| item["rank"].as_str().unwrap()).collect();
    assert!(ranks.is_sorted());
    let mut found: Vec<&str> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
    found.sort_unstable();
    ids.sort();
    assert_eq!(found, ids);
    let columns = ["open", "in_progress", "done"];
    let mut counted = 0;
    for column in columns {
        let query = format!("sort=rank&status={column}&limit=100");
        counted += listed(&service.api, &project, &query).await["items"]
            .as_array()
            .unwrap()
            .len();
    }
    assert_eq!(counted, CARDS);
}

#[tokio::test]
async fn comments_are_their_authors_own_and_owners_may_take_them_away() {
    let service = start("").await;
    let project = service.api.project().await;
    let (bob_id, bob) = service.member(&project, "bob", "editor").await;
    let comments = format!("/api/v1/tasks/{}/comments", service.api.task(&project, "dig").await);
    let mine = service
        .api
        .post(&comments, json!({ "body": "Where?" }))
        .await
        .expect(201);
    let theirs = bob.post(&comments, json!({ "body": "*There.*" })).await.expect(201);
    assert_eq!(theirs.body["author_id"], json!(bob_id));
    for blank in ["", " \n", "\u{0}"] {
        bob.post(&comments, json!({ "body": blank })).await.expect(422);
    }
    let (mine, theirs) = (mine.header("location").to_owned(), theirs.header("location").to_owned());
    bob.patch(&mine, "*", json!({ "body": "Nowhere." })).await.expect(403);
    bob.delete(&mine, "*").await.expect(403);
    service
        .api
        .patch(&theirs, "*", json!({ "body": "Nowhere." }))
        .await
        .expect(403);
    let changed = bob
        .patch(&theirs, "\"1\"", json!({ "body": "Over there." }))
        .await
        .expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    bob.patch(&theirs, "\"1\"", json!({ "body": "Here." }))
        .await
        .expect(412);
    service.api.delete(&theirs, "\"2\"").await.expect(204);
    let left = service.api.get(&comments).await.expect(200).body;
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    assert_eq!(left["items"][0]["body"], "Where?");
}

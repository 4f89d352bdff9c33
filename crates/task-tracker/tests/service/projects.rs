use serde_json::json;
use uuid::Uuid;

use crate::instance::start;

#[tokio::test]
async fn a_project_lives_from_post_to_delete() {
    let service = start("").await;
    let api = &service.api;

    let created = api
        .post(
            "/api/v1/projects",
            json!({ "name": "garden", "description": "all of it" }),
        )
        .await
        .expect(201);
    let path = created.header("location").to_owned();
    assert_eq!(path, format!("/api/v1/projects/{}", created.id()));
    assert_eq!(created.header("etag"), "\"1\"");

    let read = api.get(&path).await.expect(200);
    assert_eq!(read.body, created.body);
    assert_eq!(read.header("etag"), "\"1\"");

    let changed = api
        .patch(&path, "\"1\"", json!({ "name": "orchard" }))
        .await
        .expect(200);
    assert_eq!(changed.header("etag"), "\"2\"");
    assert_eq!(
        (&changed.body["name"], &changed.body["description"]),
        (&json!("orchard"), &json!("all of it"))
    );

    api.delete(&path, "\"2\"").await.expect(204);
    api.get(&path).await.expect(404);
    api.delete(&path, "*").await.expect(404);
}

#[tokio::test]
async fn a_project_takes_its_tasks_with_it() {
    let service = start("").await;
    let project = service.api.project().await;
    let task = service.api.task(&project, "dig").await;
    service
        .api
        .delete(&format!("/api/v1/projects/{project}"), "*")
        .await
        .expect(204);
    service.api.get(&format!("/api/v1/tasks/{task}")).await.expect(404);
}

#[tokio::test]
async fn the_same_id_with_the_same_content_may_be_posted_again() {
    let service = start("").await;
    let new = json!({ "id": Uuid::now_v7(), "name": "garden" });
    let first = service.api.post("/api/v1/projects", new.clone()).await.expect(201);
    let second = service.api.post("/api/v1/projects", new.clone()).await.expect(200);
    assert_eq!(first.body, second.body);

    let other = json!({ "id": new["id"], "name": "orchard" });
    let refused = service.api.post("/api/v1/projects", other).await.expect(409);
    assert_eq!(refused.problem(), "id-taken");
}

#[tokio::test]
async fn pages_show_every_project_once_and_in_order() {
    let service = start("").await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(service.api.project().await);
    }
    let all = service.api.every("/api/v1/projects?limit=3").await;
    let seen: Vec<&str> = all.iter().map(|project| project["id"].as_str().unwrap()).collect();
    made.sort();
    assert_eq!(seen, made);
}

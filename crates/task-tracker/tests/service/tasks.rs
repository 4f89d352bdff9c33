use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::instance::start;

#[tokio::test]
async fn a_task_lives_from_post_to_delete() {
    let service = start("").await;
    let api = &service.api;
    let project = api.project().await;

    let created = api
        .post(&format!("/api/v1/projects/{project}/tasks"), json!({ "title": "dig" }))
        .await
        .expect(201);
    let path = created.header("location").to_owned();
    assert_eq!(
        (&created.body["status"], &created.body["project_id"]),
        (&json!("open"), &json!(project))
    );

    let changed = api
        .patch(&path, created.header("etag"), json!({ "status": "done" }))
        .await
        .expect(200);
    assert_eq!(
        (&changed.body["status"], &changed.body["title"]),
        (&json!("done"), &json!("dig"))
    );
    assert_eq!(api.get(&path).await.expect(200).body, changed.body);

    api.delete(&path, changed.header("etag")).await.expect(204);
    api.get(&path).await.expect(404);
}

#[tokio::test]
async fn a_change_needs_the_version_it_changes() {
    let service = start("").await;
    let project = service.api.project().await;
    let path = format!("/api/v1/tasks/{}", service.api.task(&project, "dig").await);
    let change = json!({ "title": "dig deeper" });

    let request = service
        .api
        .request(hyper::Method::PATCH, &path)
        .header("content-type", "application/json");
    let blind = service
        .api
        .send(request.body(change.to_string().into()).unwrap())
        .await
        .expect(428);
    assert_eq!(blind.problem(), "precondition-required");

    service.api.patch(&path, "\"1\"", change.clone()).await.expect(200);
    for stale in ["\"1\"", "W/\"2\"", "\"9\""] {
        let refused = service.api.patch(&path, stale, change.clone()).await.expect(412);
        assert_eq!(
            (refused.problem(), refused.header("etag")),
            ("stale-version", "\"2\""),
            "{stale}"
        );
        service.api.delete(&path, stale).await.expect(412);
    }
    service
        .api
        .patch(&path, "\"1\", \"2\"", change.clone())
        .await
        .expect(200);
    service.api.patch(&path, "*", change).await.expect(200);
}

#[tokio::test]
async fn of_many_changes_to_one_version_exactly_one_happens() {
    let service = start("").await;
    let project = service.api.project().await;
    let path = format!("/api/v1/tasks/{}", service.api.task(&project, "dig").await);
    let mut changes = JoinSet::new();
    for number in 0..20 {
        let (api, path) = (service.api.clone(), path.clone());
        changes.spawn(async move {
            api.patch(&path, "\"1\"", json!({ "title": format!("{number}") }))
                .await
                .status
                .as_u16()
        });
    }
    let mut statuses = changes.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert_eq!(statuses[1..], [412; 19]);
}

#[tokio::test]
async fn of_many_posts_with_one_id_exactly_one_creates() {
    let service = start("").await;
    let path = format!("/api/v1/projects/{}/tasks", service.api.project().await);
    let new = json!({ "id": Uuid::now_v7(), "title": "dig" });
    let mut posts = JoinSet::new();
    for _ in 0..20 {
        let (api, path, new) = (service.api.clone(), path.clone(), new.clone());
        posts.spawn(async move { api.post(&path, new).await.status.as_u16() });
    }
    let mut statuses = posts.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses[19], 201);
    assert_eq!(statuses[..19], [200; 19]);

    let elsewhere = format!("/api/v1/projects/{}/tasks", service.api.project().await);
    assert_eq!(
        service.api.post(&elsewhere, new).await.expect(409).problem(),
        "id-taken"
    );
}

#[tokio::test]
async fn a_list_can_be_of_one_status_and_its_cursor_fits_no_other_list() {
    let service = start("").await;
    let project = service.api.project().await;
    for title in ["a", "b", "c", "d"] {
        let id = service.api.task(&project, title).await;
        if title != "b" {
            service
                .api
                .patch(&format!("/api/v1/tasks/{id}"), "*", json!({ "status": "done" }))
                .await
                .expect(200);
        }
    }
    let list = format!("/api/v1/projects/{project}/tasks");
    let titles = |body: &serde_json::Value| -> Vec<String> {
        body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["title"].as_str().unwrap().to_owned())
            .collect()
    };
    let page = service
        .api
        .get(&format!("{list}?status=done&limit=2"))
        .await
        .expect(200)
        .body;
    assert_eq!(titles(&page), ["a", "c"]);
    let cursor = page["next_cursor"].as_str().unwrap();
    let page = service
        .api
        .get(&format!("{list}?status=done&limit=2&cursor={cursor}"))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (titles(&page), &page["next_cursor"]),
        (vec!["d".to_owned()], &serde_json::Value::Null)
    );

    service.api.get(&format!("{list}?cursor={cursor}")).await.expect(400);
    service
        .api
        .get(&format!("/api/v1/projects?cursor={cursor}"))
        .await
        .expect(400);
}

#[tokio::test]
async fn no_project_is_not_an_empty_project() {
    let service = start("").await;
    let nowhere = format!("/api/v1/projects/{}/tasks", Uuid::now_v7());
    service.api.get(&nowhere).await.expect(404);
    let refused = service.api.post(&nowhere, json!({ "title": "dig" })).await.expect(404);
    assert_eq!(refused.body["detail"], "there is no project with this id");
    let project = service.api.project().await;
    service
        .api
        .get(&format!("/api/v1/projects/{project}/tasks"))
        .await
        .expect(200);
}

//! Who is in a project: invitations, roles, the last owner.

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::{
    api::Api,
    instance::{Instance, start},
};

async fn invite(owner: &Api, project: &str, role: &str) -> String {
    let path = format!("/api/v1/projects/{project}/invitations");
    let made = owner.post(&path, json!({ "role": role })).await.expect(201);
    made.body["token"].as_str().unwrap().to_owned()
}

async fn accept(api: &Api, token: &str) -> StatusCode {
    api.post("/api/v1/invitations/accept", json!({ "token": token }))
        .await
        .status
}

async fn member(service: &Instance, project: &str, name: &str, role: &str) -> (String, Api) {
    let (id, api) = service.user(name).await;
    assert_eq!(accept(&api, &invite(&service.api, project, role).await).await, 200);
    (id.to_string(), api)
}

#[tokio::test]
async fn an_invitation_is_good_once_and_for_a_while() {
    let service = start("").await;
    let project = service.api.project().await;
    let (_, bob) = service.user("bob").await;
    let (_, carol) = service.user("carol").await;
    let token = invite(&service.api, &project, "editor").await;
    assert!(token.starts_with("tti_"));
    assert_eq!(accept(&service.api, &token).await, 409, "a member already");
    assert_eq!(accept(&bob, &token).await, 200);
    assert_eq!(accept(&carol, &token).await, 404, "used");
    bob.task(&project, "dig").await;

    let token = invite(&service.api, &project, "viewer").await;
    let list = format!("/api/v1/projects/{project}/invitations");
    let listed = service.api.get(&list).await.expect(200).body["items"].clone();
    assert!(!listed.to_string().contains(&token));
    bob.get(&list).await.expect(403);
    let path = format!("{list}/{}", listed[0]["id"].as_str().unwrap());
    bob.delete(&path, "*").await.expect(403);
    service.api.delete(&path, "*").await.expect(204);
    assert_eq!(accept(&carol, &token).await, 404, "revoked");

    let token = invite(&service.api, &project, "viewer").await;
    sqlx::raw_sql("update invitations set expires_at = now()")
        .execute(&mut service.database.connect().await)
        .await
        .unwrap();
    assert_eq!(accept(&carol, &token).await, 404, "expired");
}

/// A share that was made by somebody who lost the right to share must not outlive that.
#[tokio::test]
async fn an_invitation_is_worth_nothing_when_its_maker_is_no_owner_any_more() {
    let service = start("").await;
    let project = service.api.project().await;
    let (bob_id, bob) = member(&service, &project, "bob", "owner").await;
    let token = invite(&bob, &project, "owner").await;
    let path = format!("/api/v1/projects/{project}/members/{bob_id}");
    service
        .api
        .patch(&path, "*", json!({ "role": "editor" }))
        .await
        .expect(200);
    let (_, carol) = service.user("carol").await;
    assert_eq!(accept(&carol, &token).await, 404);
}

#[tokio::test]
async fn roles_say_who_may_do_what_at_once() {
    let service = start("").await;
    let project = service.api.project().await;
    let path = format!("/api/v1/projects/{project}");
    let tasks = format!("{path}/tasks");
    let (vera_id, vera) = member(&service, &project, "vera", "viewer").await;
    vera.get(&path).await.expect(200);
    assert_eq!(
        vera.post(&tasks, json!({ "title": "dig" })).await.expect(403).problem(),
        "forbidden"
    );
    let task = format!("/api/v1/tasks/{}", service.api.task(&project, "dig").await);
    vera.patch(&task, "*", json!({ "title": "rake" })).await.expect(403);

    let membership = format!("{path}/members/{vera_id}");
    let changed = service
        .api
        .patch(&membership, "\"1\"", json!({ "role": "editor" }))
        .await
        .expect(200);
    assert_eq!(
        (&changed.body["role"], changed.header("etag")),
        (&json!("editor"), "\"2\"")
    );
    service
        .api
        .patch(&membership, "\"1\"", json!({ "role": "viewer" }))
        .await
        .expect(412);
    vera.patch(&task, "*", json!({ "title": "rake" })).await.expect(200);
    vera.patch(&path, "*", json!({ "name": "mine" })).await.expect(403);
    vera.patch(&membership, "*", json!({ "role": "owner" }))
        .await
        .expect(403);

    service.api.delete(&membership, "\"2\"").await.expect(204);
    vera.get(&path).await.expect(404);
    vera.get(&task).await.expect(404);
    vera.patch(&task, "*", json!({ "title": "dig" })).await.expect(404);
}

#[tokio::test]
async fn members_are_listed_without_their_addresses() {
    let service = start("").await;
    let project = service.api.project().await;
    member(&service, &project, "vera", "viewer").await;
    let listed = service
        .api
        .get(&format!("/api/v1/projects/{project}/members"))
        .await
        .expect(200)
        .body;
    let found: Vec<(&Value, &Value)> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (&one["name"], &one["role"]))
        .collect();
    assert_eq!(
        found,
        [(&json!("ann"), &json!("owner")), (&json!("vera"), &json!("viewer"))]
    );
    assert!(!listed.to_string().contains('@'));
}

#[tokio::test]
async fn the_last_owner_stays_even_when_two_go_at_once() {
    let service = start("").await;
    for _ in 0..10 {
        let project = service.api.project().await;
        let (bob_id, bob) = member(&service, &project, "bob", "owner").await;
        let ann_id = service.api.get("/api/v1/me").await.expect(200).id();
        let path = |id: &str| format!("/api/v1/projects/{project}/members/{id}");
        let (ann_path, bob_path) = (path(&ann_id), path(&bob_id));
        let (first, second) = tokio::join!(
            service.api.delete(&ann_path, "*"),
            bob.patch(&bob_path, "*", json!({ "role": "viewer" }))
        );
        let mut statuses = [first.status.as_u16(), second.status.as_u16()];
        statuses.sort_unstable();
        assert!(statuses == [204, 409] || statuses == [200, 409], "{first:?} {second:?}");
    }
}

//! Who answers for a webhook, and who hears of what is for owners.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    api::Api,
    following::Stream,
    instance::{Instance, start},
    line::until,
    receiver,
};

const ALLOW: &str = "--webhook-allow 127.0.0.1";

async fn hook(api: &Api, project: &str, url: &str) -> String {
    let path = format!("/api/v1/projects/{project}/webhooks");
    let made = api.post(&path, json!({ "url": url })).await.expect(201);
    made.header("location").to_owned()
}

async fn messages(connection: &mut PgConnection) -> i64 {
    sqlx::query_scalar("select count(*) from webhook_deliveries")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_webhook_stops_when_its_maker_is_no_owner_any_more_until_another_owner_answers_for_it() {
    let service = start(ALLOW).await;
    let (api, receiver) = (&service.api, receiver::start().await);
    let me = api.get("/api/v1/me").await.expect(200).body["id"].clone();
    let mut connection = service.database.connect().await;
    for removed in [true, false] {
        let project = api.project().await;
        let (bob_id, bob) = service.member(&project, "bob", "owner").await;
        let path = hook(&bob, &project, &receiver.url()).await;
        let own = hook(api, &project, &receiver.url()).await;
        assert_eq!(api.get(&path).await.expect(200).body["created_by"], json!(bob_id));
        let member = format!("/api/v1/projects/{project}/members/{bob_id}");
        if removed {
            api.delete(&member, "*").await.expect(204);
        } else {
            api.patch(&member, "*", json!({ "role": "editor" })).await.expect(200);
        }
        let seen = api.get(&path).await.expect(200);
        assert_eq!((&seen.body["state"], seen.header("etag")), (&json!("paused"), "\"2\""));
        assert!(seen.body["reason"].as_str().unwrap().contains("no owner"), "{seen:?}");
        assert_eq!(api.get(&own).await.expect(200).body["state"], "active");
        let before = messages(&mut connection).await;
        api.task(&project, "dig").await;
        assert_eq!(messages(&mut connection).await, before + 1, "only by the other one");

        let changed = api.patch(&path, "*", json!({ "state": "active" })).await.expect(200);
        assert_eq!(
            (&changed.body["created_by"], &changed.body["reason"]),
            (&me, &Value::Null)
        );
        api.task(&project, "rake").await;
        assert_eq!(messages(&mut connection).await, before + 3);
    }
}

#[tokio::test]
async fn a_webhook_that_nobody_is_known_to_have_made_stops_with_any_owner_and_is_told_of_no_invitation() {
    let service = start(ALLOW).await;
    let (api, project) = (&service.api, service.api.project().await);
    let (bob_id, _) = service.member(&project, "bob", "owner").await;
    let path = hook(api, &project, "http://127.0.0.1:9/").await;
    let mut connection = service.database.connect().await;
    sqlx::raw_sql("update webhooks set created_by = null")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(api.get(&path).await.expect(200).body["created_by"], Value::Null);
    let invitations = format!("/api/v1/projects/{project}/invitations");
    let before = messages(&mut connection).await;
    api.post(&invitations, json!({ "role": "viewer" })).await.expect(201);
    assert_eq!(messages(&mut connection).await, before);
    let member = format!("/api/v1/projects/{project}/members/{bob_id}");
    api.delete(&member, "*").await.expect(204);
    assert_eq!(api.get(&path).await.expect(200).body["state"], "paused");
}

/// What the release before made is looked up in the trail.
#[tokio::test]
async fn makers_who_were_not_written_down_are_found() {
    let service = start(ALLOW).await;
    let (api, project) = (&service.api, service.api.project().await);
    let me = api.get("/api/v1/me").await.expect(200).body["id"].clone();
    let (bob_id, bob) = service.member(&project, "bob", "owner").await;
    let (mine, his) = (
        hook(api, &project, "http://127.0.0.1:9/").await,
        hook(&bob, &project, "http://127.0.0.1:9/").await,
    );
    let mut connection = service.database.connect().await;
    // As a release that knew nothing of makers would have left it.
    sqlx::raw_sql(
        "update webhooks set created_by = null;
         alter table memberships disable trigger memberships_pause_webhooks_gone;",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    api.delete(&format!("/api/v1/projects/{project}/members/{bob_id}"), "*")
        .await
        .expect(204);
    let next = crate::instance::another_on(&service.database.parsed_url(), "--first-upkeep-seconds 0.05").await;
    until("they are found", async || api.get(&mine).await.body["created_by"] == me).await;
    assert_eq!(api.get(&mine).await.expect(200).body["state"], "active");
    let seen = api.get(&his).await.expect(200).body;
    assert_eq!(
        (&seen["state"], &seen["created_by"]),
        (&json!("paused"), &json!(bob_id))
    );
    next.lifecycle.interrupt();
    assert_eq!(next.ended().await, Ok(()));
}

async fn something_for_owners(api: &Api, project: &str) {
    hook(api, project, "http://127.0.0.1:9/").await;
    let path = format!("/api/v1/projects/{project}/invitations");
    api.post(&path, json!({ "role": "viewer" })).await.expect(201);
}

async fn actions(api: &Api, project: &str) -> Vec<String> {
    let path = format!("/api/v1/projects/{project}/activity?limit=3");
    let all = api.every(&path).await;
    all.iter()
        .map(|one| one["action"].as_str().unwrap().to_owned())
        .collect()
}

async fn begun(role: &str) -> (Instance, String, String, Api) {
    let service = start(ALLOW).await;
    let project = service.api.project().await;
    let (id, other) = service.member(&project, "vera", role).await;
    (service, project, id.to_string(), other)
}

#[tokio::test]
async fn invitations_and_webhooks_are_told_to_owners_only() {
    for role in ["viewer", "editor"] {
        let (service, project, _, other) = begun(role).await;
        let api = &service.api;
        api.task(&project, "dig").await;
        let mut heard = Stream::open(&other, &project, None).await;
        let mut owner = Stream::open(api, &project, None).await;
        something_for_owners(api, &project).await;
        api.task(&project, "rake").await;
        let (last, action, _) = heard.next().await.unwrap();
        assert_eq!(action, "task.created", "to a {role}");
        for expected in ["webhook.created", "invitation.created", "task.created"] {
            assert_eq!(owner.next().await.unwrap().1, expected);
        }
        // Looking back, too.
        something_for_owners(api, &project).await;
        api.task(&project, "sow").await;
        let mut resumed = Stream::open(&other, &project, Some(&last)).await;
        assert_eq!(resumed.next().await.unwrap().1, "task.created", "to a {role}");

        let told = actions(&other, &project).await;
        assert!(
            told.iter()
                .all(|action| !action.starts_with("invitation.") && !action.starts_with("webhook.")),
            "{told:?}"
        );
        assert_eq!(told.iter().filter(|action| *action == "task.created").count(), 3);
        let told = actions(api, &project).await;
        assert_eq!(told.iter().filter(|action| action.starts_with("webhook.")).count(), 2);
    }
}

#[tokio::test]
async fn whoever_is_no_owner_any_more_hears_no_more_of_it() {
    let (service, project, id, other) = begun("owner").await;
    let api = &service.api;
    let mut heard = Stream::open(&other, &project, None).await;
    something_for_owners(api, &project).await;
    assert_eq!(heard.next().await.unwrap().1, "webhook.created");
    assert_eq!(heard.next().await.unwrap().1, "invitation.created");
    let member = format!("/api/v1/projects/{project}/members/{id}");
    api.patch(&member, "*", json!({ "role": "viewer" })).await.expect(200);
    something_for_owners(api, &project).await;
    api.task(&project, "dig").await;
    assert_eq!(heard.next().await.unwrap().1, "member.role_changed");
    assert_eq!(heard.next().await.unwrap().1, "task.created");
}

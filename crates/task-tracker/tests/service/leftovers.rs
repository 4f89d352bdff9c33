//! A project that is deleted: nobody's at once, and cleared away in portions.

use serde_json::json;
use uuid::Uuid;

use crate::{
    instance::{Instance, another_on, start},
    line::until,
    portions::at_most,
};

/// Rows of the project's, of each kind that may be many.
async fn left(service: &Instance) -> Vec<i64> {
    sqlx::query_scalar(
        "select array[(select count(*) from tasks), (select count(*) from comments), (select count(*) from subtasks),
                      (select count(*) from webhook_deliveries), (select count(*) from attachments),
                      (select count(*) from labels), (select count(*) from projects), (select count(*) from leftovers)]",
    )
    .fetch_one(&mut service.database.connect().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn a_deleted_project_is_nobodys_at_once_and_gone_in_the_end() {
    let service = start("--webhook-allow 127.0.0.1").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (_, vera) = service.member(&project, "vera", "viewer").await;
    let task = api.task(&project, "dig").await;
    let path = format!("/api/v1/projects/{project}");
    let webhook = json!({ "url": "http://127.0.0.1:9/" });
    api.post(&format!("{path}/webhooks"), webhook).await.expect(201);
    let label = json!({ "name": "urgent", "colour": "#ff0000" });
    api.post(&format!("{path}/labels"), label).await.expect(201);
    let invitation = api
        .post(&format!("{path}/invitations"), json!({ "role": "viewer" }))
        .await
        .expect(201);
    let mut connection = service.database.connect().await;
    sqlx::query(
        "with made as (
            insert into tasks (id, project_id, title) select gen_random_uuid(), $1, 'dig' from generate_series(1, 450)
            returning id
         ), below as (
            insert into subtasks (task_id, parent_id, project_id) select id, $2, $1 from made limit 50
         ), said as (
            insert into comments (id, task_id, body) select gen_random_uuid(), id, 'Here?' from made
         ), more as (
            insert into comments (id, task_id, body) select gen_random_uuid(), $2, 'Here?' from generate_series(1, 4500)
         ), sent as (
            insert into webhook_deliveries (id, webhook_id, action, state)
            select gen_random_uuid(), id, 'task.created', 'dead' from webhooks, generate_series(1, 2500)
         )
         insert into attachments (id, task_id, name, content_type, size, object_key, upload_until)
         select gen_random_uuid(), $2, 'plan.txt', 'text/plain', 5, 'one', now()",
    )
    .bind(project.parse::<Uuid>().unwrap())
    .bind(task.parse::<Uuid>().unwrap())
    .execute(&mut connection)
    .await
    .unwrap();
    at_most(&mut connection, 200, &["tasks"]).await;
    at_most(&mut connection, 2000, &["comments", "webhook_deliveries"]).await;
    let elsewhere = api.task(&api.project().await, "elsewhere").await;
    let other = another_on(&service.database.parsed_url(), "").await;

    let (first, second) = tokio::join!(api.delete(&path, "*"), api.delete(&path, "*"));
    let mut statuses = [first.status.as_u16(), second.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 404]);
    for api in [api, &vera] {
        for gone in [
            path.clone(),
            format!("{path}/tasks"),
            format!("{path}/activity"),
            format!("/api/v1/tasks/{task}"),
            format!("/api/v1/tasks/{task}/comments"),
        ] {
            api.get(&gone).await.expect(404);
        }
    }
    let (_, carol) = service.user("carol").await;
    let token = json!({ "token": invitation.body["token"] });
    carol.post("/api/v1/invitations/accept", token).await.expect(404);
    let told: i64 =
        sqlx::query_scalar("select count(*) from events where action in ('project.deleted', 'webhook.paused')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(told, 1, "once, and nothing of what goes with it");

    until("it is cleared away", async || {
        left(&service).await == [1, 0, 0, 0, 0, 0, 1, 0]
    })
    .await;
    api.get(&format!("/api/v1/tasks/{elsewhere}")).await.expect(200);
    let objects: i64 = sqlx::query_scalar("select count(*) from discarded_objects where object_key = 'one'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(objects, 1);
    // Its id is free again.
    let again = json!({ "id": project, "name": "garden" });
    api.post("/api/v1/projects", again).await.expect(201);
    other.lifecycle.interrupt();
    assert_eq!(other.ended().await, Ok(()));
}

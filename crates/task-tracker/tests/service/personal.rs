//! What a person can ask for: everything that is kept, and to be forgotten.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    api::Api,
    instance::{Instance, start},
    line::until,
};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) async fn register(service: &Instance, email: &str) -> (String, Api) {
    let new = json!({ "email": email, "name": "Robert Example", "password": PASSWORD });
    let reply = service.api.anonymous().post("/api/v1/accounts", new).await.expect(201);
    (reply.id(), service.api.with_session(reply.session()))
}

/// Every row of every table, as text.
pub(crate) async fn everything(connection: &mut PgConnection) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace",
    )
    .fetch_all(&mut *connection)
    .await
    .unwrap();
    let mut text = String::new();
    for table in tables {
        let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "select row_to_json(t)::text from {table} t"
        )))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
        text.push_str(&rows.join("\n"));
    }
    text
}

#[tokio::test]
async fn an_export_has_what_is_kept_and_no_secrets() {
    let service = start("").await;
    let (id, bob) = register(&service, "bob@example.com").await;
    let project = bob.project().await;
    let tasks = format!("/api/v1/projects/{project}/tasks");
    let task = bob
        .post(&tasks, json!({ "title": "dig", "assignee_ids": [id] }))
        .await
        .expect(201);
    let comments = format!("{}/comments", task.header("location"));
    bob.post(&comments, json!({ "body": "Where?" })).await.expect(201);
    let filters = format!("/api/v1/projects/{project}/filters");
    let filter = json!({ "name": "Mine", "audience": "me", "filter": { "assignee": "me" } });
    bob.post(&filters, filter).await.expect(201);
    let reminders = format!("{}/reminders", task.header("location"));
    bob.post(&reminders, json!({ "at": "2001-01-01T00:00:00Z" }))
        .await
        .expect(201);
    until("the reminder is delivered", async || {
        bob.get("/api/v1/notifications").await.body["items"][0].is_object()
    })
    .await;
    let kept = bob.get("/api/v1/me/export").await.expect(200).body;
    assert_eq!(kept["account"]["email"], "bob@example.com");
    assert_eq!(kept["assigned_tasks"][0]["title"], "dig");
    assert_eq!(kept["comments"][0]["body"], "Where?");
    assert_eq!(kept["projects"][0]["role"], "owner");
    assert_eq!(kept["saved_filters"][0]["filter"], json!({ "assignee": "me" }));
    assert_eq!(kept["reminders"][0]["at"], kept["notifications"][0]["remind_at"]);
    let actions: Vec<&Value> = kept["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["action"])
        .collect();
    assert_eq!(
        actions,
        [
            "account.registered",
            "project.created",
            "task.created",
            "comment.created",
            "filter.created",
            "reminder.created"
        ]
    );
    for secret in ["sha256", "password_hash", "argon2"] {
        assert!(!kept.to_string().contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn whoever_leaves_is_locked_out_at_once_and_forgotten_later() {
    let service = start("").await;
    let (id, bob) = register(&service, "bob@example.com").await;
    bob.patch("/api/v1/me", "*", json!({ "name": "Robert Example Jr" }))
        .await
        .expect(200);
    let (own, shared) = (bob.project().await, bob.project().await);
    let invited = bob
        .post(
            &format!("/api/v1/projects/{shared}/invitations"),
            json!({ "role": "editor" }),
        )
        .await
        .expect(201);
    service
        .api
        .post("/api/v1/invitations/accept", json!({ "token": invited.body["token"] }))
        .await
        .expect(200);
    let tasks = format!("/api/v1/projects/{shared}/tasks");
    let task = bob
        .post(&tasks, json!({ "title": "dig", "assignee_ids": [id] }))
        .await
        .expect(201);
    let task = task.header("location").to_owned();
    bob.post(&format!("{task}/comments"), json!({ "body": "Where?" }))
        .await
        .expect(201);

    let filter = json!({ "name": "Of Bob", "audience": "project", "filter": { "assignee": id } });
    bob.post(&format!("/api/v1/projects/{shared}/filters"), filter)
        .await
        .expect(201);
    bob.post(&format!("{task}/reminders"), json!({ "minutes_before_due": 5 }))
        .await
        .expect(201);

    bob.post("/api/v1/me/erasure", json!({ "password": "wrong horse battery" }))
        .await
        .expect(403);
    bob.post("/api/v1/me/erasure", json!({ "password": PASSWORD }))
        .await
        .expect(202);
    bob.get("/api/v1/me").await.expect(401);
    let login = json!({ "email": "bob@example.com", "password": PASSWORD });
    service.api.anonymous().post("/api/v1/session", login).await.expect(401);

    let url = service.database.parsed_url();
    assert_eq!(task_tracker::erase_due(&url).await.unwrap(), 0, "not before its time");
    let mut connection = service.database.connect().await;
    sqlx::raw_sql("update users set erase_after = now() where erase_after is not null")
        .execute(&mut connection)
        .await
        .unwrap();
    assert_eq!(task_tracker::erase_due(&url).await.unwrap(), 1);
    assert_eq!(task_tracker::erase_due(&url).await.unwrap(), 0);

    let left = everything(&mut connection).await;
    for trace in [id.as_str(), "bob@example.com", "Robert"] {
        assert!(!left.contains(trace), "{trace} is still in {left}");
    }
    // What was theirs alone is gone; what was shared goes on, with an owner.
    let projects = service.api.get("/api/v1/projects").await.expect(200).body;
    assert_eq!(
        (&projects["items"][0]["id"], &projects["items"][0]["role"]),
        (&json!(shared), &json!("owner"))
    );
    assert!(!projects.to_string().contains(&own));
    assert_eq!(service.api.get(&task).await.expect(200).body["assignee_ids"], json!([]));
    let comments = service.api.get(&format!("{task}/comments")).await.expect(200).body;
    assert_eq!(comments["items"][0]["author_id"], Value::Null);
    let activity = service
        .api
        .get(&format!("/api/v1/projects/{shared}/activity"))
        .await
        .expect(200)
        .body;
    assert!(
        activity["items"].as_array().unwrap().len() >= 4,
        "the trail is whole: {activity}"
    );
}

/// More than a page of everything there can be many of, in two projects of one's own and in one of somebody else's.
#[tokio::test]
async fn an_export_has_all_of_it_once_and_in_order_however_much_there_is() {
    let service = start("--webhook-allow 127.0.0.1").await;
    let (id, bob) = register(&service, "bob@example.com").await;
    let (first, second) = (bob.project().await, bob.project().await);
    let elsewhere = service.api.project().await;
    let mut connection = service.database.connect().await;
    let many = "
        with tasks_made as (
            insert into tasks (id, project_id, title, assignee_ids)
            select gen_random_uuid(), project::uuid, 'dig ' || n, case when n % 100 = 0 then array['{id}'::uuid] else '{}' end
            from unnest(array['{first}', '{second}', '{elsewhere}']) as project, generate_series(1, 450) as n
            returning id, project_id
        ), said as (
            insert into comments (id, task_id, author_id, body)
            select gen_random_uuid(), id, '{id}', 'Where?' from tasks_made where project_id = '{elsewhere}'
        )
        insert into notifications (id, user_id, task_id, reminder_id, remind_at)
        select gen_random_uuid(), '{id}', id, gen_random_uuid(), now() from tasks_made where project_id = '{first}';
        insert into memberships (project_id, user_id, role) values ('{elsewhere}', '{id}', 'viewer');
        insert into events (actor_id, action, project_id, after)
        select '{id}', 'task.changed', '{first}', jsonb_build_object('title', 'dig ' || n) from generate_series(1, 450) as n;";
    let many = [
        ("{id}", &id),
        ("{first}", &first),
        ("{second}", &second),
        ("{elsewhere}", &elsewhere),
    ]
    .iter()
    .fold(many.to_owned(), |sql, (name, value)| sql.replace(name, value));
    sqlx::raw_sql(sqlx::AssertSqlSafe(many))
        .execute(&mut connection)
        .await
        .unwrap();

    let reply = bob.get("/api/v1/me/export").await.expect(200);
    assert_eq!(reply.header("content-length"), "", "it is written while it is read");
    let kept = reply.body;
    for (list, expected) in [
        ("tasks", 900),
        ("assigned_tasks", 12),
        ("comments", 450),
        ("notifications", 450),
        ("activity", 450 + 3),
    ] {
        let rows = kept[list].as_array().unwrap();
        let mut once: Vec<String> = rows.iter().map(Value::to_string).collect();
        once.sort();
        once.dedup();
        let different = if list == "comments" { 450 } else { once.len() };
        assert_eq!((rows.len(), different), (expected, expected), "{list}");
    }
    let places = |list: &str| -> Vec<String> {
        let rows = kept[list].as_array().unwrap();
        rows.iter()
            .map(|row| format!("{}{}", row["project_id"], row["id"]))
            .collect()
    };
    assert!(places("tasks").is_sorted() && places("assigned_tasks").is_sorted());
    let said: Vec<&Value> = kept["activity"].as_array().unwrap()[3..]
        .iter()
        .map(|one| &one["after"]["title"])
        .collect();
    assert_eq!((said[0], said[449]), (&json!("dig 1"), &json!("dig 450")));

    let mut written = Vec::new();
    task_tracker::export_user(&service.database.parsed_url(), id.parse().unwrap(), &mut written)
        .await
        .unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written, kept, "the command writes the same");
}

#[tokio::test]
async fn an_export_has_webhooks_invitations_and_what_changed_and_no_secrets() {
    let service = start("--webhook-allow 127.0.0.1").await;
    let (_, bob) = register(&service, "bob@example.com").await;
    let project = bob.project().await;
    let path = format!("/api/v1/projects/{project}");
    let hook = json!({ "url": "http://127.0.0.1:9/hook", "actions": ["task.*"] });
    let hook = bob.post(&format!("{path}/webhooks"), hook).await.expect(201);
    let invited = bob
        .post(&format!("{path}/invitations"), json!({ "role": "editor" }))
        .await
        .expect(201);
    let label = json!({ "name": "urgent", "colour": "#ff0000" });
    bob.post(&format!("{path}/labels"), label).await.expect(201);
    let task = bob.task(&project, "dig").await;
    bob.patch(&format!("/api/v1/tasks/{task}"), "*", json!({ "title": "rake" }))
        .await
        .expect(200);
    let kept = bob.get("/api/v1/me/export").await.expect(200).body;
    assert_eq!(kept["webhooks"][0]["url"], "http://127.0.0.1:9/hook");
    assert_eq!(kept["invitations"][0]["role"], "editor");
    assert_eq!(kept["labels"][0]["name"], "urgent");
    assert_eq!(
        (&kept["tasks"][0]["title"], &kept["assigned_tasks"]),
        (&json!("rake"), &json!([]))
    );
    let last = kept["activity"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["before"]["title"], &last["after"]["title"]),
        (&json!("dig"), &json!("rake"))
    );
    let text = kept.to_string();
    for secret in [&hook.body["secret"], &invited.body["token"]] {
        assert!(!text.contains(secret.as_str().unwrap()));
    }
    // Whoever is no owner has no business with these.
    let (_, member) = service.user("carol").await;
    member
        .post("/api/v1/invitations/accept", json!({ "token": invited.body["token"] }))
        .await
        .expect(200);
    let theirs = member.get("/api/v1/me/export").await.expect(200).body;
    assert_eq!(theirs["projects"][0]["role"], "editor");
    for list in ["webhooks", "invitations", "labels", "tasks"] {
        assert_eq!(theirs[list], json!([]), "{list}");
    }
}

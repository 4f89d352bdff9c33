//! To be forgotten: what goes, what stays, and who does it.

use hyper::Method;
use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use crate::{
    api::Api,
    cluster,
    instance::{Instance, another_on, start, start_on},
    line::until,
    personal::{PASSWORD, everything, register},
    portions::at_most,
};

/// What nobody but Bob wrote, where nobody but Bob was.
const WORDS: [&str; 9] = [
    "gooseberry",
    "elderflower",
    "quince",
    "medlar",
    "damson",
    "mulberry",
    "rowan",
    "sloe",
    "whitebeam",
];

pub(crate) async fn leave(bob: &Api) {
    bob.post("/api/v1/me/erasure", json!({ "password": PASSWORD }))
        .await
        .expect(202);
}

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

pub(crate) async fn the_time_has_come(connection: &mut PgConnection) {
    run(
        connection,
        "update users set erase_after = now() where erase_after is not null",
    )
    .await;
}

/// Who did it when, of every event, but not what the actor is called.
async fn skeleton(connection: &mut PgConnection) -> Vec<(i64, String, String, Option<Uuid>)> {
    sqlx::query_as("select id, action, at::text, project_id from events order by id")
        .fetch_all(connection)
        .await
        .unwrap()
}

async fn actors_of(connection: &mut PgConnection, events: &[i64]) -> Vec<Option<Uuid>> {
    sqlx::query_scalar("select distinct actor_id from events where id = any($1)")
        .bind(events)
        .fetch_all(connection)
        .await
        .unwrap()
}

async fn join(service: &Instance, project: &str, bob: &Api) {
    let path = format!("/api/v1/projects/{project}/invitations");
    let invited = service.api.post(&path, json!({ "role": "editor" })).await.expect(201);
    bob.post("/api/v1/invitations/accept", json!({ "token": invited.body["token"] }))
        .await
        .expect(200);
}

/// A project of Bob's own, with his words in everything that has any; and things of his that are nobody else's business.
async fn write_words(bob: &Api) {
    let [garden, plan, dig, why, red, ci, mine, gone, plot] = WORDS;
    let project = json!({ "name": garden, "description": plan });
    let project = bob.post("/api/v1/projects", project).await.expect(201).id();
    let path = format!("/api/v1/projects/{project}");
    let task = json!({ "title": dig, "description": plan });
    let task = bob.post(&format!("{path}/tasks"), task).await.expect(201).id();
    bob.patch(
        &format!("/api/v1/tasks/{task}"),
        "*",
        json!({ "status": "done", "title": plan }),
    )
    .await
    .expect(200);
    bob.post(&format!("/api/v1/tasks/{task}/comments"), json!({ "body": why }))
        .await
        .expect(201);
    let label = json!({ "name": red, "colour": "#ff0000" });
    bob.post(&format!("{path}/labels"), label).await.expect(201);
    let token = json!({ "name": ci, "scopes": ["tasks:read"], "expires_in_days": 7 });
    bob.keyed(Method::POST, "/api/v1/tokens", "one", &token)
        .await
        .expect(201);
    let filter = json!({ "name": mine, "audience": "me", "filter": { "q": mine } });
    bob.post(&format!("{path}/filters"), filter).await.expect(201);
    let hook = json!({ "url": format!("http://127.0.0.1:9/{plot}") });
    bob.post(&format!("{path}/webhooks"), hook).await.expect(201);
    // One that was gone before.
    let other = bob.post("/api/v1/projects", json!({ "name": gone })).await.expect(201);
    bob.delete(&format!("/api/v1/projects/{}", other.id()), "*")
        .await
        .expect(204);
}

async fn comment(bob: &Api, project: &str) {
    let tasks = bob.every(&format!("/api/v1/projects/{project}/tasks?limit=100")).await;
    let path = format!("/api/v1/tasks/{}/comments", tasks[0]["id"].as_str().unwrap());
    bob.post(&path, json!({ "body": "Where?" })).await.expect(201);
}

#[tokio::test]
async fn nothing_in_the_database_is_of_whoever_was_erased_and_the_trail_is_whole() {
    let service = start("--webhook-allow 127.0.0.1").await;
    let ann = &service.api;
    let (id, bob) = register(&service, "bob@example.com").await;
    bob.patch("/api/v1/me", "*", json!({ "name": "Robert Example Jr" }))
        .await
        .expect(200);
    write_words(&bob).await;
    let (shared, left, deleted) = (ann.project().await, ann.project().await, ann.project().await);
    for project in [&shared, &left, &deleted] {
        join(&service, project, &bob).await;
        let tasks = format!("/api/v1/projects/{project}/tasks");
        let task = json!({ "title": "water", "assignee_ids": [id] });
        ann.keyed(Method::POST, &tasks, project, &task).await.expect(201);
        let filter = json!({ "name": "Of Bob", "audience": "me", "filter": { "assignee": id } });
        ann.post(&format!("/api/v1/projects/{project}/filters"), filter)
            .await
            .expect(201);
    }
    comment(&bob, &left).await;
    let member = format!("/api/v1/projects/{shared}/members/{id}");
    ann.keyed(Method::PATCH, &member, "role", &json!({ "role": "viewer" }))
        .await
        .expect(200);
    ann.delete(&format!("/api/v1/projects/{left}/members/{id}"), "*")
        .await
        .expect(204);
    ann.delete(&format!("/api/v1/projects/{deleted}"), "*")
        .await
        .expect(204);
    let login = json!({ "email": "bob@example.com", "password": "wrong horse battery" });
    ann.anonymous().post("/api/v1/session", login).await.expect(401);
    leave(&bob).await;

    let mut connection = service.database.connect().await;
    // Of what Bob did in these projects retention took all. One of them he left before anybody wrote that down; a comment is there.
    run(
        &mut connection,
        &format!("set task_tracker.curating = 'on'; delete from events where actor_id = '{id}' and project_id in ('{left}', '{deleted}');
                  delete from past_members where project_id = '{left}'"),
    )
    .await;
    the_time_has_come(&mut connection).await;
    let before = skeleton(&mut connection).await;
    let own: Vec<i64> = sqlx::query_scalar("select id from events where actor_id = $1")
        .bind(id.parse::<Uuid>().unwrap())
        .fetch_all(&mut connection)
        .await
        .unwrap();
    let seen = everything(&mut connection).await;
    for word in WORDS.iter().chain(&["bob@example.com", "Robert", id.as_str()]) {
        assert!(seen.contains(word), "{word} was there before");
    }

    assert_eq!(
        task_tracker::erase_due(&service.database.parsed_url()).await.unwrap(),
        1
    );

    // A project that he had deleted himself is cleared away meanwhile.
    until("what was deleted is cleared away", async || {
        let mut onlooker = service.database.connect().await;
        let left: i64 = sqlx::query_scalar("select count(*) from leftovers")
            .fetch_one(&mut onlooker)
            .await
            .unwrap();
        left == 0
    })
    .await;
    let seen = everything(&mut connection).await;
    for word in WORDS.iter().chain(&["bob@example.com", "Robert", id.as_str()]) {
        assert!(!seen.contains(word), "{word} is still in {seen}");
    }
    let after = skeleton(&mut connection).await;
    let (rest, told) = after.split_at(before.len());
    assert_eq!(rest, before, "who did what when is still known");
    let told: Vec<&str> = told.iter().map(|event| event.1.as_str()).collect();
    let (last, along) = told.split_last().unwrap();
    assert_eq!(*last, "account.erased");
    assert!(
        along.contains(&"task.changed")
            && along
                .iter()
                .all(|action| ["task.changed", "webhook.paused"].contains(action)),
        "{along:?}"
    );
    let actors = actors_of(&mut connection, &own).await;
    assert_eq!(
        (own.len() > 10, actors.len(), actors[0].is_some()),
        (true, 1, true),
        "by one name"
    );

    // What is others' is as it was.
    let activity = ann
        .every(&format!("/api/v1/projects/{shared}/activity?limit=100"))
        .await;
    let made = activity.iter().find(|one| one["action"] == "task.created").unwrap();
    assert_eq!(made["after"]["title"], "water");
    assert_eq!(made["after"]["assignee_ids"], json!([actors[0].unwrap()]));
    for project in [&shared, &left] {
        let tasks = ann.every(&format!("/api/v1/projects/{project}/tasks?limit=100")).await;
        assert_eq!(
            (&tasks[0]["title"], &tasks[0]["assignee_ids"]),
            (&json!("water"), &json!([]))
        );
    }
}

/// Of which an erasure may meet many.
const PORTIONED: [&str; 9] = [
    "attachments",
    "events",
    "idempotency_keys",
    "notifications",
    "reminders",
    "saved_filters",
    "tasks",
    "webhook_deliveries",
    "webhooks",
];

/// More than a statement takes: of what Bob did, of where others speak of him, and of what goes with him.
#[tokio::test]
async fn an_erasure_may_be_more_than_one_statement_can_do() {
    let service = start("").await;
    let (id, bob) = register(&service, "bob@example.com").await;
    let (own, shared) = (bob.project().await, service.api.project().await);
    join(&service, &shared, &bob).await;
    let many = "
        insert into tasks (id, project_id, title)
        select gen_random_uuid(), '{own}', 'dig' from generate_series(1, 2500);
        insert into tasks (id, project_id, title, assignee_ids)
        select gen_random_uuid(), '{shared}', 'dig', array['{id}'::uuid] from generate_series(1, 2500);
        insert into comments (id, task_id, author_id, body)
        select gen_random_uuid(), id, '{id}', 'Where?' from tasks where project_id = '{shared}';
        insert into events (actor_id, action, project_id, after)
        select '{id}', 'task.created', '{own}', jsonb_build_object('title', 'gooseberry') from generate_series(1, 2500);
        insert into events (action, project_id, before)
        select 'task.changed', '{shared}', jsonb_build_object('assignee_ids', jsonb_build_array('{id}'::text))
        from generate_series(1, 2500);
        insert into events (action, target_id) select 'session.refused', '{id}' from generate_series(1, 2500);
        insert into comments (id, task_id, author_id, body)
        select gen_random_uuid(), task.id, '{id}', 'Here.'
        from (select id from tasks where project_id = '{own}' limit 1) as task, generate_series(1, 5000);
        insert into reminders (id, task_id, user_id, at)
        select gen_random_uuid(), id, '{id}', now() from tasks where project_id = '{shared}';
        insert into notifications (id, user_id, task_id, reminder_id, remind_at)
        select gen_random_uuid(), user_id, task_id, id, at from reminders;
        insert into attachments (id, task_id, author_id, name, content_type, size, object_key, upload_until)
        select id, id, '{id}', 'plan.txt', 'text/plain', 5, id, now() from tasks where project_id = '{shared}';
        insert into webhooks (id, project_id, url, secret, state)
        values (gen_random_uuid(), '{own}', 'https://example.com', '', 'paused');
        insert into webhook_deliveries (id, webhook_id, action, state)
        select gen_random_uuid(), id, 'ping', 'dead' from webhooks, generate_series(1, 2500);
        insert into webhooks (id, project_id, url, secret, state, created_by)
        select gen_random_uuid(), '{shared}', 'https://example.com', '', 'paused', '{id}' from generate_series(1, 2500);
        insert into saved_filters (id, project_id, name, filter)
        select gen_random_uuid(), '{shared}', 'Of Bob', jsonb_build_object('assignee', '{id}') from generate_series(1, 2500);
        insert into idempotency_keys (user_id, operation, key, body_sha256, status, answer)
        select users.id, 'POST /', n::text, '', 200, jsonb_build_object('assignee_ids', jsonb_build_array('{id}'))
        from users, generate_series(1, 2500) as n;";
    let many = [("{id}", &id), ("{own}", &own), ("{shared}", &shared)]
        .iter()
        .fold(many.to_owned(), |sql, (name, value)| sql.replace(name, value));
    let mut connection = service.database.connect().await;
    run(&mut connection, &many).await;
    leave(&bob).await;
    the_time_has_come(&mut connection).await;
    at_most(&mut connection, 1000, &PORTIONED).await;
    // Nothing hangs on these, so a statement may take more.
    at_most(&mut connection, 2000, &["comments"]).await;
    assert_eq!(
        task_tracker::erase_due(&service.database.parsed_url()).await.unwrap(),
        1
    );
    let seen = everything(&mut connection).await;
    assert!(!seen.contains(&id) && !seen.contains("gooseberry"));
    let left: (i64, i64) =
        sqlx::query_as("select (select count(*) from tasks), (select count(*) from comments where author_id is null)")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(left, (2500, 2500));
}

/// By whichever process gets to it, once, without anybody who runs a command.
#[tokio::test]
async fn the_service_erases_whose_time_has_come_whoever_else_is_at_it() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    for name in ["bob", "carol", "dave", "eve"] {
        database.user(name).await;
    }
    run(
        &mut connection,
        "update users set erase_after = case when name = 'eve' then now() + interval '1 hour' else now() end",
    )
    .await;
    let url = database.parsed_url();
    // The user whom an instance brings is of another database.
    let flags = "--first-upkeep-seconds 0.05";
    let service = start_on(cluster::migrated().await, &url, flags).await;
    let other = another_on(&url, flags).await;
    let names = async || -> Vec<String> {
        let mut onlooker = database.connect().await;
        sqlx::query_scalar("select name from users order by name")
            .fetch_all(&mut onlooker)
            .await
            .unwrap()
    };
    until("three are forgotten", async || names().await == ["eve"]).await;
    for lifecycle in [&service.lifecycle, &other.lifecycle] {
        lifecycle.interrupt();
    }
    assert_eq!((service.ended().await, other.ended().await), (Ok(()), Ok(())));
    let told: i64 = sqlx::query_scalar("select count(*) from events where action = 'account.erased'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(told, 3);
}

#[tokio::test]
async fn what_was_cut_off_is_taken_up_by_the_same_name_and_not_before_its_lease_is_over() {
    let service = start("").await;
    let (id, bob) = register(&service, "bob@example.com").await;
    let own = bob.project().await;
    leave(&bob).await;
    let mut connection = service.database.connect().await;
    the_time_has_come(&mut connection).await;
    let nobody = Uuid::new_v4();
    // As a process leaves it that ended between two statements.
    run(
        &mut connection,
        &format!(
            "insert into erasures (user_id, pseudonym, lease, leased_until)
             values ('{id}', '{nobody}', gen_random_uuid(), now() + interval '1 hour');
             insert into erasure_projects (user_id, project_id, goes) values ('{id}', '{own}', true);
             delete from memberships where user_id = '{id}'"
        ),
    )
    .await;
    let url = service.database.parsed_url();
    assert_eq!(task_tracker::erase_due(&url).await.unwrap(), 0, "somebody is at it");
    run(&mut connection, "update erasures set leased_until = now()").await;
    assert_eq!(task_tracker::erase_due(&url).await.unwrap(), 1);
    let seen = everything(&mut connection).await;
    assert!(!seen.contains(&id) && !seen.contains("garden"), "{seen}");
    let named: i64 = sqlx::query_scalar("select count(*) from events where actor_id = $1")
        .bind(nobody)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert!(named > 2, "{named}");
}

#[tokio::test]
async fn one_that_cannot_be_erased_keeps_nobody_else_waiting() {
    let database = cluster::migrated().await;
    let mut connection = database.connect().await;
    for name in ["bob", "carol"] {
        database.user(name).await;
    }
    run(
        &mut connection,
        "update users set erase_after = case when name = 'bob' then now() - interval '1 hour' else now() end;
         create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not Bob'; end $$;
         create trigger refuse before delete on users for each row when (old.name = 'bob') execute function refuse();",
    )
    .await;
    let refused = task_tracker::erase_due(&database.parsed_url()).await;
    assert!(refused.is_err());
    let left: Vec<String> = sqlx::query_scalar("select name from users")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(left, ["bob"]);
}

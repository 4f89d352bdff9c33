//! Reminders, and the notifications they become: once, whoever delivers them.

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    api::Api,
    instance::{Instance, start, start_on},
    line::until,
};

async fn remind(api: &Api, task: &str, when: Value) -> Value {
    api.post(&format!("/api/v1/tasks/{task}/reminders"), when)
        .await
        .expect(201)
        .body
}

async fn notifications(api: &Api, query: &str) -> Vec<Value> {
    let page = api
        .get(&format!("/api/v1/notifications?{query}"))
        .await
        .expect(200)
        .body;
    page["items"].as_array().unwrap().clone()
}

async fn delivered(api: &Api, count: usize) -> Vec<Value> {
    until("the notifications are there", async || {
        notifications(api, "limit=100").await.len() >= count
    })
    .await;
    let found = notifications(api, "limit=100").await;
    assert_eq!(found.len(), count, "{found:?}");
    found
}

/// Every reminder that was to be delivered by now is.
async fn settled(connection: &mut PgConnection) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    loop {
        let ripe: i64 = sqlx::query_scalar("select count(*) from reminders where fires_at <= now()")
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        if ripe == 0 {
            return;
        }
        assert!(tokio::time::Instant::now() < deadline, "{ripe} are left");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn due(service: &Instance, task: &str, due_at: Value) {
    let path = format!("/api/v1/tasks/{task}");
    service
        .api
        .patch(&path, "*", json!({ "due_at": due_at }))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_reminder_becomes_a_notification_that_is_read_and_unread() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let (_, vera) = service.member(&project, "vera", "viewer").await;
    let task = api.task(&project, "dig").await;
    let hers = remind(&vera, &task, json!({ "at": "2001-01-01T00:00:00Z" })).await;
    assert_eq!(hers["fires_at"], "2001-01-01T00:00:00Z");
    let first = delivered(&vera, 1).await.remove(0);
    assert_eq!(
        [
            &first["kind"],
            &first["title"],
            &first["task_id"],
            &first["project_id"],
            &first["read_at"]
        ],
        [
            &json!("reminder"),
            &json!("dig"),
            &json!(task),
            &json!(project),
            &Value::Null
        ]
    );
    assert!(notifications(api, "").await.is_empty(), "a reminder is its user's own");
    let list = format!("/api/v1/tasks/{task}/reminders");
    let kept = vera.get(&list).await.expect(200).body["items"][0].clone();
    assert!(kept["fires_at"].is_null() && kept["delivered_at"].is_string(), "{kept}");
    assert_eq!(api.get(&list).await.expect(200).body["items"], json!([]));

    let path = format!("/api/v1/notifications/{}/read", first["id"].as_str().unwrap());
    let put = vera
        .request(hyper::Method::PUT, &path)
        .body(axum::body::Body::empty())
        .unwrap();
    let read = vera.send(put).await.expect(200).body;
    assert!(read["read_at"].is_string());
    assert_eq!(
        (
            notifications(&vera, "read=true").await.len(),
            notifications(&vera, "read=false").await.len()
        ),
        (1, 0)
    );
    assert_eq!(vera.delete(&path, "*").await.expect(200).body["read_at"], Value::Null);
    api.delete(&path, "*").await.expect(404);

    remind(&vera, &task, json!({ "at": "2001-01-02T00:00:00Z" })).await;
    delivered(&vera, 2).await;
    remind(&vera, &task, json!({ "at": "2001-01-03T00:00:00Z" })).await;
    let all = delivered(&vera, 3).await;
    let moments: Vec<&str> = all.iter().map(|one| one["remind_at"].as_str().unwrap()).collect();
    assert_eq!(
        moments,
        ["2001-01-03T00:00:00Z", "2001-01-02T00:00:00Z", "2001-01-01T00:00:00Z"]
    );
    let up_to = json!({ "up_to": all[1]["id"] });
    let marked = vera
        .post("/api/v1/notifications/read", up_to.clone())
        .await
        .expect(200)
        .body;
    assert_eq!(marked, json!({ "marked": 2 }));
    api.post("/api/v1/notifications/read", up_to).await.expect(404);
    let unread = notifications(&vera, "read=false").await;
    assert_eq!(unread, [all[0].clone()]);
    let page = vera.get("/api/v1/notifications?limit=2").await.expect(200).body;
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(
        notifications(&vera, &format!("limit=2&cursor={cursor}")).await[0]["id"],
        all[2]["id"]
    );
    vera.get(&format!("/api/v1/notifications?read=true&cursor={cursor}"))
        .await
        .expect(400);

    // Whoever is no member any more hears nothing more of it.
    let me = vera.get("/api/v1/me").await.expect(200).id();
    api.delete(&format!("/api/v1/projects/{project}/members/{me}"), "*")
        .await
        .expect(204);
    assert!(notifications(&vera, "").await.is_empty());
    vera.delete(&format!("/api/v1/reminders/{}", hers["id"].as_str().unwrap()), "*")
        .await
        .expect(204);
}

#[tokio::test]
async fn a_reminder_before_a_due_date_moves_with_it() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let task = api.task(&project, "dig").await;
    let made = remind(api, &task, json!({ "minutes_before_due": 90 })).await;
    assert_eq!(
        (&made["fires_at"], &made["minutes_before_due"]),
        (&Value::Null, &json!(90)),
        "not due yet"
    );
    let list = format!("/api/v1/tasks/{task}/reminders");
    let fires_at = async || api.get(&list).await.expect(200).body["items"][0]["fires_at"].clone();
    for (due_at, expected) in [
        (json!("2200-01-01T01:00:00Z"), json!("2199-12-31T23:30:00Z")),
        (json!("2100-01-01T01:00:00Z"), json!("2099-12-31T23:30:00Z")),
        (Value::Null, Value::Null),
    ] {
        due(&service, &task, due_at).await;
        assert_eq!(fires_at().await, expected);
    }
    // A moment that has passed is delivered at once, and not again because the date moves within the past.
    due(&service, &task, json!("0001-01-01T00:30:00Z")).await;
    let told = delivered(api, 1).await;
    assert_eq!(told[0]["remind_at"], "0001-01-01T00:00:00Z");
    due(&service, &task, json!("2001-01-01T00:00:00Z")).await;
    assert_eq!(fires_at().await, Value::Null);
    due(&service, &task, json!("2100-01-01T01:00:00Z")).await;
    assert_eq!(fires_at().await, "2099-12-31T23:30:00Z", "a new moment to come");
    let bulk = json!({ "tasks": [{ "id": task }], "change": { "due_at": "2150-01-01T01:30:00Z" } });
    api.post(&format!("/api/v1/projects/{project}/tasks/bulk"), bulk)
        .await
        .expect(200);
    assert_eq!(fires_at().await, "2150-01-01T00:00:00Z");

    // Nobody needs to be reminded of what is done.
    let done = api.task(&project, "done").await;
    api.patch(&format!("/api/v1/tasks/{done}"), "*", json!({ "status": "done" }))
        .await
        .expect(200);
    remind(api, &done, json!({ "at": "2001-01-01T00:00:00Z" })).await;
    settled(&mut service.database.connect().await).await;
    delivered(api, 1).await;
    for wrong in [
        json!({}),
        json!({ "at": null }),
        json!({ "minutes_before_due": -1 }),
        json!({ "minutes_before_due": 525_601 }),
        json!({ "at": "2100-01-01T00:00:00Z", "minutes_before_due": 1 }),
    ] {
        api.post(&list, wrong.clone()).await.expect(422);
    }
    for _ in 0..19 {
        remind(api, &task, json!({ "minutes_before_due": 0 })).await;
    }
    api.post(&list, json!({ "minutes_before_due": 0 })).await.expect(409);
}

/// Two processes on one database, as during a blue-green overlap, a third one that is stuck with some of the rows, and
/// tasks and people that go away meanwhile.
#[tokio::test]
async fn each_reminder_is_delivered_once_however_many_deliver() {
    const REMINDERS: i64 = 3000;
    let blue = start("").await;
    let (ann, project) = (
        blue.api.get("/api/v1/me").await.expect(200).id(),
        blue.api.project().await,
    );
    let task = blue.api.task(&project, "dig").await;
    let url = blue.database.parsed_url();
    let mut connection = blue.database.connect().await;
    let mut stuck = blue.database.connect().await;
    sqlx::query(
        "insert into reminders (id, task_id, user_id, at)
         select gen_random_uuid(), $1, $2, now() - make_interval(secs => n) from generate_series(1, $3) as n",
    )
    .bind(task.parse::<Uuid>().unwrap())
    .bind(ann.parse::<Uuid>().unwrap())
    .bind(REMINDERS)
    .execute(&mut connection)
    .await
    .unwrap();
    let mut held = stuck.begin().await.unwrap();
    let locked = sqlx::query("select id from reminders order by id limit 10 for update")
        .fetch_all(&mut *held)
        .await
        .unwrap();
    assert_eq!(locked.len(), 10);
    let green = start_on(crate::cluster::migrated().await, &url, "").await;
    sqlx::query("update reminders set fires_at = at where delivered_at is null and id not in (select id from reminders order by id limit 10)")
        .execute(&mut connection)
        .await
        .unwrap();
    sqlx::query("update reminders set fires_at = at where id in (select id from reminders order by id limit 10)")
        .execute(&mut *held)
        .await
        .unwrap();
    settled(&mut connection).await;
    let count = "select count(*) from notifications";
    let told: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
    assert_eq!(
        told,
        REMINDERS - 10,
        "what somebody is stuck with holds up nothing else"
    );
    held.commit().await.unwrap();
    settled(&mut connection).await;
    let (told, distinct): (i64, i64) =
        sqlx::query_as("select count(*), count(distinct reminder_id) from notifications")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!((told, distinct), (REMINDERS, REMINDERS));
    // A reminder that comes up a second time for the same moment, whatever brought it up, is told once.
    sqlx::query("update reminders set fires_at = at")
        .execute(&mut connection)
        .await
        .unwrap();
    settled(&mut connection).await;
    let told: i64 = sqlx::query_scalar(count).fetch_one(&mut connection).await.unwrap();
    assert_eq!(told, REMINDERS);
    drop(green);
}

#[tokio::test]
async fn deliveries_stand_in_nobodys_way() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let mut doomed = Vec::new();
    for round in 0..15 {
        let task = api.task(&project, "dig").await;
        for minutes in 0..3 {
            remind(api, &task, json!({ "minutes_before_due": minutes })).await;
        }
        due(&service, &task, json!("2001-01-01T00:00:00Z")).await;
        due(&service, &task, json!(format!("20{:02}-01-01T00:00:00Z", round + 1))).await;
        doomed.push(task);
    }
    for task in doomed {
        api.delete(&format!("/api/v1/tasks/{task}"), "*").await.expect(204);
    }
    settled(&mut service.database.connect().await).await;
    assert!(notifications(api, "").await.is_empty(), "with their tasks");
}

//! Lists of tasks in every order, by what people ask of them; and one thing at a time.

use axum::body::Body;
use hyper::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    api::{Api, Reply},
    instance::{Instance, start},
    line::until,
};

/// Many tasks that are alike: few days on which they are due, some on none, and every priority and status.
async fn furnished() -> (Instance, String) {
    let service = start("").await;
    let project = service.api.project().await;
    sqlx::query(
        "insert into tasks (id, project_id, title, status, priority, due_at, rank)
         select gen_random_uuid(), $1, case when n % 7 = 0 then 'dig' else 'rake' end,
                (array['open', 'in_progress', 'done'])[1 + n * 5 % 3],
                (array['none', 'low', 'medium', 'high', 'urgent'])[1 + n * 7 % 5],
                case when n % 4 > 0 then timestamptz '2026-12-01 00:00:00.000001Z' + n * 11 % 6 * interval '1 day' end,
                'm' || n * 13 % 17 || 'V'
         from generate_series(1, 143) as n",
    )
    .bind(project.parse::<Uuid>().unwrap())
    .execute(&mut service.database.connect().await)
    .await
    .unwrap();
    (service, project)
}

/// By what a list in this order sorts a task, before its id. Dates of one form and one year compare as texts do.
fn key(sort: &str, task: &Value) -> String {
    match sort {
        "id" => String::new(),
        "rank" => task["rank"].as_str().unwrap().to_owned(),
        "due_at" => task["due_at"].as_str().unwrap_or("never").to_owned(),
        "priority" => {
            let places = ["urgent", "high", "medium", "low", "none"];
            let place = places.iter().position(|place| *place == task["priority"]);
            place.unwrap().to_string()
        }
        _ => panic!("{sort}"),
    }
}

fn in_order(sort: &str, tasks: &[Value]) -> Vec<String> {
    let id = |task: &Value| task["id"].as_str().unwrap().to_owned();
    let mut keys: Vec<(String, String)> = tasks.iter().map(|task| (key(sort, task), id(task))).collect();
    keys.sort();
    keys.into_iter().map(|(_, id)| id).collect()
}

fn is(task: &Value, field: &str, words: &[&str]) -> bool {
    words.iter().any(|word| task[field] == *word)
}

type Fits = fn(&Value) -> bool;

/// What is asked, and which tasks that are.
const ASKED: [(&str, Fits); 8] = [
    ("", |_| true),
    ("status=done,open", |task| is(task, "status", &["open", "done"])),
    ("priority=urgent,none", |task| is(task, "priority", &["urgent", "none"])),
    ("status=open&priority=high,low", |task| {
        is(task, "status", &["open"]) && is(task, "priority", &["high", "low"])
    }),
    ("due_after=2026-12-03T00:00:00.000001Z", |task| {
        task["due_at"].as_str().is_some_and(|due| due >= "2026-12-03")
    }),
    ("due_before=2026-12-03T00:00:00.000001Z", |task| {
        task["due_at"].as_str().is_some_and(|due| due < "2026-12-03")
    }),
    (
        "due_after=2026-12-02T00:00:00%2B00:00&due_before=2026-12-05T00:00:00Z",
        |task| {
            task["due_at"]
                .as_str()
                .is_some_and(|due| ("2026-12-02".."2026-12-05").contains(&due))
        },
    ),
    ("q=dig", |task| is(task, "title", &["dig"])),
];

#[tokio::test]
async fn walking_all_pages_gives_every_task_once_and_in_order() {
    let (service, project) = furnished().await;
    let api = &service.api;
    let list = format!("/api/v1/projects/{project}/tasks?");
    let all = api.every(&format!("{list}limit=100")).await;
    assert_eq!(all.len(), 143);
    for sort in ["id", "rank", "due_at", "priority"] {
        for (asked, fits) in ASKED {
            let fitting: Vec<Value> = all.iter().filter(|task| fits(task)).cloned().collect();
            assert!(fitting.len() > 5, "{asked}");
            for limit in [1, 7, 100] {
                if limit == 1 && !asked.is_empty() {
                    continue;
                }
                let walked = api.every(&format!("{list}limit={limit}&sort={sort}&{asked}")).await;
                let ids: Vec<&str> = walked.iter().map(|task| task["id"].as_str().unwrap()).collect();
                assert_eq!(ids, in_order(sort, &fitting), "by {sort}, {limit} at a time: {asked}");
            }
        }
    }
}

/// How many entries of this index were read, and how many tasks in whichever way. What a connection read is counted in full when it has ended.
async fn entries_read(service: &Instance, index: &str) -> (i64, i64) {
    until("the service has disconnected", async || {
        let connections: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name like 'task-tracker %'",
        )
        .fetch_one(&mut service.database.connect().await)
        .await
        .unwrap();
        connections == 0
    })
    .await;
    sqlx::query_as(
        "select (sum(idx_tup_read) filter (where indexrelname = $1))::bigint,
                (sum(idx_tup_read) + (select seq_tup_read from pg_stat_user_tables where relname = 'tasks'))::bigint
         from pg_stat_user_indexes where relname = 'tasks'",
    )
    .bind(index)
    .fetch_one(&mut service.database.connect().await)
    .await
    .unwrap()
}

/// A page costs what is on it, and not what is in its project: it is read off an index, in order, and nothing behind it is. The
/// plan that is made for whatever is asked (PostgreSQL settles on one after five times) does so like those before it.
#[tokio::test]
async fn a_page_of_a_large_project_reads_little_more_than_is_on_it() {
    const TIMES: i64 = 12;
    for (sort, index) in [("due_at", "tasks_due"), ("priority", "tasks_urgency")] {
        let service = start("--database-pool 2").await;
        let project = service.api.project().await;
        sqlx::raw_sql(AssertSqlSafe(format!(
            "insert into tasks (id, project_id, title, status, priority, due_at)
             select gen_random_uuid(), '{project}', 'dig', (array['open', 'done'])[1 + n % 2],
                    (array['none', 'low', 'medium', 'high', 'urgent'])[1 + n * 7 % 5],
                    case when n % 4 > 0 then timestamptz '2026-12-01 00:00:00Z' + n * 11 % 600 * interval '1 hour' end
             from generate_series(1, 10000) as n;
             analyze tasks"
        )))
        .execute(&mut service.database.connect().await)
        .await
        .unwrap();
        let list = format!("/api/v1/projects/{project}/tasks?sort={sort}&limit=10");
        for asked in ["", "&status=open"] {
            let mut cursor = String::new();
            for _ in 0..TIMES {
                let page = service.api.get(&format!("{list}{asked}{cursor}")).await.expect(200);
                assert_eq!(page.body["items"].as_array().unwrap().len(), 10);
                cursor = format!("&cursor={}", page.body["next_cursor"].as_str().unwrap());
            }
        }
        if sort == "due_at" {
            // Nothing is overdue, and where that ends nothing else is looked at.
            for _ in 0..TIMES {
                let overdue = format!("{list}&due_before=2026-12-01T00:00:00Z");
                let page = service.api.get(&overdue).await.expect(200);
                assert_eq!(page.body["items"], json!([]));
            }
        }
        service.lifecycle.interrupt();
        // Two walks of so many pages of ten, one of them past as many that are done. All tasks would be ten thousand, each time; once or
        // twice they may be counted meanwhile.
        let (read, all) = entries_read(&service, index).await;
        assert!(read >= 20 * TIMES && all < 30_000, "{read} and {all} entries by {sort}");
    }
}

/// A cursor leads on in the list that it is of; what a client makes of it is refused, and not by a fault.
#[tokio::test]
async fn a_cursor_is_of_one_order_and_one_filter() {
    let (service, project) = furnished().await;
    let api = &service.api;
    let list = format!("/api/v1/projects/{project}/tasks?limit=3&");
    for sort in ["due_at", "priority"] {
        let page = api
            .get(&format!("{list}sort={sort}&status=open,done"))
            .await
            .expect(200);
        let cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
        // The same filter in other words.
        api.get(&format!("{list}status=done,open&sort={sort}&cursor={cursor}"))
            .await
            .expect(200);
        for other in [
            "sort=rank&status=open,done",
            "status=open,done",
            &format!("sort={sort}&status=open"),
        ] {
            let refused = api.get(&format!("{list}{other}&cursor={cursor}")).await.expect(400);
            assert_eq!(refused.problem(), "foreign-cursor", "{other}");
        }
        let made_up = forged(&cursor, &json!(["-0044-03-15T12:00:00Z", Uuid::nil()]));
        api.get(&format!("{list}status=done,open&sort={sort}&cursor={made_up}"))
            .await
            .expect(400);
    }
}

fn forged(cursor: &str, after: &Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let mut read: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    read["after"] = after.clone();
    BASE64_URL_SAFE_NO_PAD.encode(read.to_string())
}

#[tokio::test]
async fn what_is_asked_of_dates_and_of_several_words_can_be_saved() {
    let (service, project) = furnished().await;
    let api = &service.api;
    let filters = format!("/api/v1/projects/{project}/filters");
    let filter = json!({
        "sort": "due_at", "status": "open,done", "priority": "medium,high",
        "due_after": "2026-12-02T01:00:00+01:00", "due_before": "2026-12-06T00:00:00Z",
    });
    let new = json!({ "name": "Soon", "audience": "project", "filter": filter });
    let made = api.post(&filters, new).await.expect(201);
    assert_eq!(made.body["filter"]["due_after"], "2026-12-02T00:00:00Z");
    let list = format!("/api/v1/projects/{project}/tasks?limit=5&");
    let asked = "sort=due_at&status=open,done&priority=medium,high&due_after=2026-12-02T00:00:00Z&due_before=2026-12-06T00:00:00Z";
    let expected = api.every(&format!("{list}{asked}")).await;
    assert!(expected.len() > 5);
    assert_eq!(api.every(&format!("{list}filter={}", made.id())).await, expected);
    // What is named beside it counts instead.
    let named = api.every(&format!("{list}filter={}&priority=low", made.id())).await;
    assert!(!named.is_empty() && named.iter().all(|task| task["priority"] == "low"));
    for wrong in [
        json!({ "status": "open,late" }),
        json!({ "status": "" }),
        json!({ "due_before": "tomorrow" }),
        json!({ "due_before": "0000-01-01T00:00:00Z" }),
        json!({ "sort": "title" }),
    ] {
        let new = json!({ "name": "x", "audience": "me", "filter": wrong });
        assert_eq!(
            api.post(&filters, new).await.expect(422).problem(),
            "invalid",
            "{wrong}"
        );
    }
}

async fn asked_again(api: &Api, path: &str, etag: &str) -> Reply {
    let request = api.request(Method::GET, path).header("if-none-match", etag);
    api.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn what_was_made_is_where_its_location_says_and_is_not_sent_twice() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let path = format!("/api/v1/projects/{project}");
    let task = api
        .post(&format!("{path}/tasks"), json!({ "title": "dig" }))
        .await
        .expect(201);
    let comments = format!("{}/comments", task.header("location"));
    let label = json!({ "name": "urgent", "colour": "#ff0000" });
    let filter = json!({ "name": "Mine", "audience": "me", "filter": { "assignee": "me" } });
    for (made, change) in [
        (task, json!({ "title": "rake" })),
        (
            api.post(&comments, json!({ "body": "Where?" })).await.expect(201),
            json!({ "body": "Here." }),
        ),
        (
            api.post(&format!("{path}/labels"), label).await.expect(201),
            json!({ "name": "later" }),
        ),
        (
            api.post(&format!("{path}/filters"), filter).await.expect(201),
            json!({ "name": "Ours" }),
        ),
    ] {
        let place = made.header("location");
        let seen = api.get(place).await.expect(200);
        assert_eq!(
            (&seen.body, seen.header("etag")),
            (&made.body, made.header("etag")),
            "{place}"
        );
        for etag in ["\"1\"", "W/\"1\"", "\"7\", \"1\"", "*"] {
            let same = asked_again(api, place, etag).await.expect(304);
            assert_eq!((&same.body, same.header("etag")), (&Value::Null, "\"1\""), "{place}");
        }
        let changed = api.patch(place, "\"1\"", change).await.expect(200);
        assert_eq!(
            asked_again(api, place, "\"1\"").await.expect(200).body,
            changed.body,
            "{place}"
        );
        asked_again(api, place, "1").await.expect(400);
    }
    let me = api.get("/api/v1/me").await.expect(200);
    asked_again(api, "/api/v1/me", me.header("etag")).await.expect(304);
    // A filter of one's own is there for nobody else, nor is anything in another project.
    let (_, vera) = service.member(&project, "vera", "editor").await;
    let listed = api.get(&format!("{path}/filters")).await.expect(200);
    let own = format!("{path}/filters/{}", listed.body["items"][0]["id"].as_str().unwrap());
    vera.get(&own).await.expect(404);
    let elsewhere = api.project().await;
    api.get(&own.replace(&project, &elsewhere)).await.expect(404);
}

/// How the parts of a task stand is shown with it, and gives it no new version; but whoever asks again must see it.
#[tokio::test]
async fn a_task_whose_parts_have_moved_on_is_sent_again() {
    let service = start("").await;
    let (api, project) = (&service.api, service.api.project().await);
    let tasks = format!("/api/v1/projects/{project}/tasks");
    let whole = api.post(&tasks, json!({ "title": "whole" })).await.expect(201);
    let (place, mut etag) = (whole.header("location").to_owned(), whole.header("etag").to_owned());
    let part = api
        .post(&tasks, json!({ "title": "part", "parent_id": whole.id() }))
        .await
        .expect(201);
    let part = part.header("location");
    for (change, counts) in [
        (json!({ "title": "a part" }), [1, 0]),
        (json!({ "status": "done" }), [1, 1]),
        (json!({ "parent_id": null }), [0, 0]),
    ] {
        api.patch(part, "*", change).await.expect(200);
        let seen = asked_again(api, &place, &etag).await.expect(200);
        assert_eq!(seen.body["subtasks"], json!({ "total": counts[0], "done": counts[1] }));
        assert_eq!(seen.body["version"], 1);
        etag = seen.header("etag").to_owned();
        asked_again(api, &place, &etag).await.expect(304);
    }
    // Any of them is good for a change.
    let part = json!({ "title": "part", "parent_id": whole.id() });
    api.post(&tasks, part).await.expect(201);
    let seen = api.get(&place).await.expect(200);
    assert_ne!(seen.header("etag"), "\"1\"");
    let changed = api
        .patch(&place, seen.header("etag"), json!({ "title": "all" }))
        .await
        .expect(200);
    assert_eq!(asked_again(api, &place, changed.header("etag")).await.status, 304);
    api.patch(&place, seen.header("etag"), json!({ "title": "all" }))
        .await
        .expect(412);
}

//! What happened in a project: read page by page, and followed live.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sqlx::{PgConnection, types::time::OffsetDateTime};
use uuid::Uuid;

use crate::{
    api::Api,
    instance::{Instance, start},
    line::{until, within},
};

/// An open stream of events.
pub(crate) struct Stream {
    body: Incoming,
    text: String,
}

impl Stream {
    pub(crate) async fn open(api: &Api, project: &str, last: Option<&str>) -> Self {
        let request = api.request(hyper::Method::GET, &format!("/api/v1/projects/{project}/events"));
        let request = match last {
            Some(last) => request.header("last-event-id", last),
            None => request,
        };
        let response = within(api.open(request)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body(),
            text: String::new(),
        }
    }

    /// The next event's id, name and data; None when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<(String, String, Value)> {
        // As a whole: a sign of life comes every now and then.
        within(self.read()).await
    }

    async fn read(&mut self) -> Option<(String, String, Value)> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = block.lines();
                    let found = lines
                        .filter_map(|line| line.strip_prefix(name))
                        .map(str::trim_start)
                        .next();
                    found.map(str::to_owned)
                };
                let (id, event, data) = (field("id:"), field("event:"), field("data:"));
                self.text = rest.into();
                if let (Some(id), Some(event), Some(data)) = (id, event, data) {
                    return Some((id, event, serde_json::from_str(&data).unwrap()));
                }
                continue;
            }
            let frame = self.body.frame().await?.ok()?;
            if let Ok(bytes) = frame.into_data() {
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
    }
}

#[tokio::test]
async fn a_listener_hears_everything_once_and_goes_on_where_it_was() {
    let service = start("").await;
    let (project, other) = (service.api.project().await, service.api.project().await);
    let mut stream = Stream::open(&service.api, &project, None).await;
    service.api.task(&other, "elsewhere").await;
    let task = service.api.task(&project, "dig").await;
    let (_, action, data) = stream.next().await.unwrap();
    assert_eq!((action.as_str(), &data["target_id"]), ("task.created", &json!(task)));
    assert_eq!(
        (&data["before"], &data["after"]["title"]),
        (&Value::Null, &json!("dig"))
    );

    let path = format!("/api/v1/tasks/{task}");
    service
        .api
        .patch(&path, "*", json!({ "status": "done" }))
        .await
        .expect(200);
    let (last, action, data) = stream.next().await.unwrap();
    assert_eq!(
        (action.as_str(), &data["before"]["status"]),
        ("task.changed", &json!("open"))
    );
    // Only what differs is recorded.
    assert_eq!(data["after"].get("title"), None);

    drop(stream);
    service.api.delete(&path, "*").await.expect(204);
    let mut resumed = Stream::open(&service.api, &project, Some(&last)).await;
    assert_eq!(resumed.next().await.unwrap().1, "task.deleted");
    service.api.task(&project, "rake").await;
    assert_eq!(resumed.next().await.unwrap().1, "task.created");
    let bad = service
        .api
        .request(hyper::Method::GET, &format!("/api/v1/projects/{project}/events"))
        .header("last-event-id", "yesterday");
    service
        .api
        .send(bad.body(axum::body::Body::empty()).unwrap())
        .await
        .expect(400);
}

/// Whatever is written while somebody begins to listen is either read back or heard, and never both.
#[tokio::test]
async fn nothing_falls_between_the_look_back_and_the_listening() {
    let service = start("").await;
    let project = service.api.project().await;
    let first = service
        .api
        .get(&format!("/api/v1/projects/{project}/activity"))
        .await
        .expect(200);
    let first = first.body["items"][0]["id"].as_str().unwrap().to_owned();
    let (api, into) = (service.api.clone(), project.clone());
    let writing = tokio::spawn(async move {
        let mut made = Vec::new();
        for number in 0..60 {
            made.push(api.task(&into, &format!("{number}")).await);
        }
        made
    });
    let mut listeners = Vec::new();
    for _ in 0..5 {
        listeners.push(Stream::open(&service.api.afresh(), &project, Some(&first)).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let made = writing.await.unwrap();
    for mut listener in listeners {
        for expected in &made {
            let (_, action, data) = listener.next().await.unwrap();
            assert_eq!(
                (action.as_str(), data["target_id"].as_str()),
                ("task.created", Some(expected.as_str()))
            );
        }
    }
}

/// Somebody who began a change before the others and is not done with it, on a connection that the service knows nothing of.
struct Slow {
    connection: PgConnection,
}

impl Slow {
    async fn begin(service: &Instance) -> Self {
        let mut connection = service.database.connect().await;
        sqlx::raw_sql("begin; select pg_current_xact_id()")
            .execute(&mut connection)
            .await
            .unwrap();
        Self { connection }
    }

    async fn record(&mut self, project: &str, action: &str) {
        sqlx::query("insert into events (action, project_id) values ($1, $2)")
            .bind(action)
            .bind(project.parse::<Uuid>().unwrap())
            .execute(&mut self.connection)
            .await
            .unwrap();
    }

    async fn end(mut self, how: &'static str) {
        sqlx::raw_sql(how).execute(&mut self.connection).await.unwrap();
    }
}

/// Returns when the feed has looked for events since this was called.
async fn feed_has_looked(service: &Instance) {
    let mut connection = service.database.connect().await;
    let called: OffsetDateTime = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    for _ in 0..2 {
        until("the feed looks for events", async || {
            sqlx::query_scalar(
                "select exists (select from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid() and query_start > $1
                      and query like '%from events%order by tx, id limit%')",
            )
            .bind(called)
            .fetch_one(&mut service.database.connect().await)
            .await
            .unwrap()
        })
        .await;
    }
}

async fn told(stream: &mut Stream, count: usize) -> Vec<(String, String)> {
    let mut told = Vec::new();
    for _ in 0..count {
        let (id, action, _) = stream.next().await.unwrap();
        told.push((id, action));
    }
    told
}

fn actions(told: &[(String, String)]) -> Vec<&str> {
    told.iter().map(|(_, action)| action.as_str()).collect()
}

/// Ids become visible out of order: whoever took one first may commit last. Whoever listens waits for it, and whoever goes on
/// behind any event hears the rest, whichever id that has.
#[tokio::test]
async fn what_is_committed_late_is_heard_once_by_everybody() {
    let service = start("").await;
    let project = service.api.project().await;
    let path = format!("/api/v1/projects/{project}/activity");
    let first = service.api.get(&path).await.expect(200).body["items"][0]["id"].clone();
    let first = first.as_str().unwrap();
    let mut early = Stream::open(&service.api, &project, None).await;

    let mut slow = Slow::begin(&service).await;
    let mut slower = Slow::begin(&service).await;
    slow.record(&project, "slow.lower").await;
    service.api.task(&project, "dig").await;
    slow.record(&project, "slow.higher").await;
    slower.record(&project, "slower.highest").await;
    feed_has_looked(&service).await;
    // In the middle of it, with a place and without: the one has missed nothing yet, the other knows nothing of it.
    let mut resumed = Stream::open(&service.api.afresh(), &project, Some(first)).await;
    let mut fresh = Stream::open(&service.api.afresh(), &project, None).await;
    feed_has_looked(&service).await;
    slow.end("commit").await;
    feed_has_looked(&service).await;
    slower.end("commit").await;
    service.api.task(&project, "rake").await;

    let all = [
        "slow.lower",
        "slow.higher",
        "slower.highest",
        "task.created",
        "task.created",
    ];
    let heard = told(&mut early, all.len()).await;
    assert_eq!(actions(&heard), all);
    assert_eq!(told(&mut resumed, all.len()).await, heard);
    // What was there when it began to listen is left out: the first task.
    assert_eq!(told(&mut fresh, 4).await, [&heard[..3], &heard[4..]].concat());
    for (place, (id, _)) in heard.iter().enumerate() {
        let mut stream = Stream::open(&service.api.afresh(), &project, Some(id)).await;
        let rest = &heard[place + 1..];
        assert_eq!(told(&mut stream, rest.len()).await, rest, "behind {id}");
    }
    // And nothing twice: what comes next is what happens next.
    service.api.task(&project, "sow").await;
    for stream in [&mut early, &mut resumed, &mut fresh] {
        assert_eq!(stream.next().await.unwrap().2["after"]["title"], "sow");
    }
}

#[tokio::test]
async fn what_is_never_committed_is_never_heard_and_holds_nobody_up() {
    let service = start("").await;
    let project = service.api.project().await;
    let mut stream = Stream::open(&service.api, &project, None).await;
    let mut slow = Slow::begin(&service).await;
    slow.record(&project, "slow.lower").await;
    service.api.task(&project, "dig").await;
    feed_has_looked(&service).await;
    slow.end("rollback").await;
    assert_eq!(stream.next().await.unwrap().1, "task.created");
}

#[tokio::test]
async fn whoever_is_removed_hears_no_more() {
    let service = start("").await;
    let project = service.api.project().await;
    let (bob_id, bob) = service.user("bob").await;
    let invited = service
        .api
        .post(
            &format!("/api/v1/projects/{project}/invitations"),
            json!({ "role": "viewer" }),
        )
        .await
        .expect(201);
    bob.post("/api/v1/invitations/accept", json!({ "token": invited.body["token"] }))
        .await
        .expect(200);
    let mut stream = Stream::open(&bob, &project, None).await;
    service
        .api
        .delete(&format!("/api/v1/projects/{project}/members/{bob_id}"), "*")
        .await
        .expect(204);
    service.api.task(&project, "secret").await;
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn a_session_or_a_token_that_ends_takes_its_stream_along() {
    let service = start("").await;
    let api = &service.api;
    let project = api.project().await;
    let new = json!({ "name": "ci", "scopes": ["tasks:read"], "expires_in_days": 7 });
    let made = api.post("/api/v1/tokens", new).await.expect(201);
    let (_, bob) = service.member(&project, "bob", "viewer").await;
    let mut by_token = Stream::open(&api.with_token(made.body["token"].as_str().unwrap()), &project, None).await;
    let mut by_session = Stream::open(&bob, &project, None).await;
    let mut untouched = Stream::open(api, &project, None).await;
    api.delete(&format!("/api/v1/tokens/{}", made.id()), "*")
        .await
        .expect(204);
    bob.delete("/api/v1/session", "*").await.expect(204);
    assert_eq!(by_token.next().await, None);
    assert_eq!(by_session.next().await, None);
    api.task(&project, "dig").await;
    assert_eq!(untouched.next().await.unwrap().1, "task.created");
}

#[tokio::test]
async fn listeners_do_not_hold_up_the_end() {
    let service = start("--finish-seconds 50").await;
    let project = service.api.project().await;
    let mut stream = Stream::open(&service.api, &project, None).await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
    assert_eq!(stream.next().await, None);
}

#[tokio::test]
async fn the_activity_of_a_project_is_read_from_the_latest_back() {
    let service = start("").await;
    let project = service.api.project().await;
    for title in ["a", "b", "c"] {
        service.api.task(&project, title).await;
    }
    let all = service
        .api
        .every(&format!("/api/v1/projects/{project}/activity?limit=2"))
        .await;
    let title = |event: &Value| event["after"]["title"].as_str().unwrap_or("project").to_owned();
    let seen: Vec<String> = all.iter().map(title).collect();
    assert_eq!(seen, ["c", "b", "a", "project"]);
}

#[tokio::test]
async fn what_is_on_record_stays_on_record() {
    let service = start("").await;
    service.api.project().await;
    let mut connection = service.database.connect().await;
    for sql in [
        "update events set action = 'nothing'",
        "delete from events",
        "truncate events",
    ] {
        let refused = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
}

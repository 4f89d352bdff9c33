//! The load against a toy service that loses what it is told to lose: the report must find exactly that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, StatusCode},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::{Deserialize, Serialize};
use tt_load::{Config, Report, Second, run};
use uuid::Uuid;

/// What the toy does with the n-th write after the load's preparation.
type Fate = fn(u64) -> Deed;

#[derive(Clone, Copy, PartialEq)]
enum Deed {
    Keep,
    AcknowledgeAndForget,
    KeepAndFail,
    FailOnly,
}

#[derive(Default)]
struct Toy {
    tasks: BTreeMap<Uuid, Row>,
    writes: u64,
    forgotten: u64,
    fate: Option<Fate>,
    answered: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Row {
    id: Uuid,
    title: String,
    #[serde(default = "first")]
    version: u64,
}

#[derive(Deserialize)]
struct Change {
    title: String,
}

#[derive(Deserialize)]
struct Which {
    limit: usize,
    cursor: Option<Uuid>,
}

type Shared = Arc<Mutex<Toy>>;

const PREPARED: u64 = 50;

fn first() -> u64 {
    1
}

impl Toy {
    fn deed(&mut self) -> Deed {
        self.writes += 1;
        let deed = match self.fate {
            Some(fate) if self.writes > PREPARED => fate(self.writes - PREPARED),
            _ => Deed::Keep,
        };
        self.forgotten += u64::from(deed == Deed::AcknowledgeAndForget);
        deed
    }
}

/// Who may come in, in a toy.
const COOKIE: &str = "__Host-session=secret";

async fn register() -> Response {
    let cookie = [("set-cookie", format!("{COOKIE}; Path=/; Secure; HttpOnly"))];
    (StatusCode::CREATED, cookie).into_response()
}

async fn invite() -> Response {
    (StatusCode::CREATED, Json(serde_json::json!({ "token": "tti_secret" }))).into_response()
}

/// Requests without a session are refused, as they are by the real service.
async fn check(request: Request, next: Next) -> Response {
    let has_session = request.headers().get("cookie").is_some_and(|cookie| cookie == COOKIE);
    if has_session || request.uri().path() == "/api/v1/accounts" {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

/// What the preparation asks for besides projects and tasks.
fn people<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/api/v1/accounts", post(register))
        .route("/api/v1/projects/{id}/invitations", post(invite))
        .route("/api/v1/invitations/accept", post(async || StatusCode::OK))
        .route("/api/v1/projects", post(async || StatusCode::CREATED))
}

async fn create(State(toy): State<Shared>, Json(row): Json<Row>) -> StatusCode {
    let mut toy = toy.lock().unwrap();
    let deed = toy.deed();
    if matches!(deed, Deed::Keep | Deed::KeepAndFail) {
        toy.tasks.insert(row.id, row);
    }
    answer(deed, StatusCode::CREATED)
}

async fn update(
    State(toy): State<Shared>,
    Path(id): Path<Uuid>,
    headers: HeaderMap,
    Json(change): Json<Change>,
) -> StatusCode {
    let mut toy = toy.lock().unwrap();
    let wanted: u64 = headers["if-match"].to_str().unwrap().trim_matches('"').parse().unwrap();
    match toy.tasks.get(&id) {
        None => return StatusCode::NOT_FOUND,
        Some(row) if row.version != wanted => return StatusCode::PRECONDITION_FAILED,
        Some(_) => {}
    }
    let deed = toy.deed();
    if matches!(deed, Deed::Keep | Deed::KeepAndFail) {
        let row = toy.tasks.get_mut(&id).unwrap();
        row.version += 1;
        row.title = change.title;
    }
    answer(deed, StatusCode::OK)
}

fn answer(deed: Deed, success: StatusCode) -> StatusCode {
    match deed {
        Deed::Keep | Deed::AcknowledgeAndForget => success,
        Deed::KeepAndFail | Deed::FailOnly => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn read(State(toy): State<Shared>, Path(id): Path<Uuid>) -> Response {
    match toy.lock().unwrap().tasks.get(&id) {
        Some(row) => Json(row).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn list(State(toy): State<Shared>, Query(which): Query<Which>) -> Response {
    let toy = toy.lock().unwrap();
    let after = which.cursor.unwrap_or(Uuid::nil());
    let rows: Vec<&Row> = toy
        .tasks
        .values()
        .filter(|row| row.id > after)
        .take(which.limit)
        .collect();
    let next_cursor = rows.last().filter(|_| rows.len() == which.limit).map(|row| row.id);
    Json(serde_json::json!({ "items": rows, "next_cursor": next_cursor })).into_response()
}

/// Lets two releases answer in turn, and counts what they answer to the load itself.
async fn sign(State(toy): State<Shared>, request: Request, next: Next) -> Response {
    let reading_back = request
        .uri()
        .query()
        .is_some_and(|query| query.starts_with("limit=100"));
    let of_the_load = toy.lock().unwrap().writes >= PREPARED && !reading_back;
    let release = {
        let mut toy = toy.lock().unwrap();
        let release = if toy.answered.values().sum::<u64>().is_multiple_of(3) {
            "1.1.0"
        } else {
            "1.0.0"
        };
        if of_the_load {
            *toy.answered.entry(release).or_default() += 1;
        }
        release
    };
    let mut response = next.run(request).await;
    response.headers_mut().insert("x-release", release.parse().unwrap());
    response
}

async fn serve(fate: Option<Fate>) -> (Shared, String) {
    let toy = Shared::new(Mutex::new(Toy { fate, ..Toy::default() }));
    let router = people()
        .route("/api/v1/projects/{id}/tasks", get(list).post(create))
        .route("/api/v1/tasks/{id}", get(read).patch(update))
        .layer(middleware::from_fn(check))
        .layer(middleware::from_fn_with_state(toy.clone(), sign))
        .with_state(toy.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (toy, url)
}

fn brief(url: String) -> Config {
    Config {
        duration: Some(Duration::from_millis(1500)),
        connections: 8,
        ..Config::new(url, 400)
    }
}

async fn load(fate: Option<Fate>) -> (Shared, Report, Vec<Second>) {
    let (toy, url) = serve(fate).await;
    let mut seconds = Vec::new();
    let report = run(brief(url), pending(), |second| seconds.push(second)).await.unwrap();
    (toy, report, seconds)
}

#[tokio::test]
async fn an_honest_service_has_lost_nothing() {
    let (toy, report, seconds) = load(None).await;
    let toy = toy.lock().unwrap();
    assert_eq!((report.failed, report.lost_writes, report.unverified_writes), (0, 0, 0));
    assert_eq!(report.acknowledged_writes, toy.writes);
    assert_eq!(report.verified_writes, toy.writes);
    assert_eq!(report.failures, []);
    assert_eq!(
        seconds.iter().map(|second| second.requests).sum::<u64>(),
        report.requests
    );
    let by_release: BTreeMap<&str, u64> = report
        .by_release
        .iter()
        .map(|(name, release)| (name.as_str(), release.requests))
        .collect();
    assert_eq!(by_release, toy.answered);
    for release in report.by_release.values() {
        assert!(report.started_unix_ms <= release.first_seen_unix_ms);
        assert!(release.last_sent_unix_ms <= release.last_seen_unix_ms);
        assert!(release.last_seen_unix_ms <= report.ended_unix_ms);
    }
}

#[tokio::test]
async fn every_write_that_was_acknowledged_and_forgotten_is_found_and_no_other() {
    let (toy, report, _) = load(Some(|write| {
        if write.is_multiple_of(7) {
            Deed::AcknowledgeAndForget
        } else {
            Deed::Keep
        }
    }))
    .await;
    let forgotten = toy.lock().unwrap().forgotten;
    assert!(forgotten > 0);
    assert_eq!(report.lost_writes, forgotten);
    assert_eq!(report.verified_writes, report.acknowledged_writes - forgotten);
}

#[tokio::test]
async fn a_write_that_failed_is_a_failure_and_never_a_loss() {
    let (_, report, seconds) = load(Some(|write| match write % 5 {
        0 => Deed::KeepAndFail,
        1 => Deed::FailOnly,
        _ => Deed::Keep,
    }))
    .await;
    assert!(report.failed > 0);
    assert_eq!((report.lost_writes, report.unverified_writes), (0, 0));
    assert_eq!(report.failures.len() as u64, report.failed);
    assert_eq!(seconds.iter().map(|second| second.failed).sum::<u64>(), report.failed);
    assert_eq!(
        report.by_release.values().map(|release| release.failed).sum::<u64>(),
        report.failed
    );
    let failure = &report.failures[0];
    assert_eq!((failure.status, failure.error.as_deref()), (Some(500), None));
    assert!(failure.release.is_some());
}

#[tokio::test]
async fn it_stops_when_told_to() {
    let (_, url) = serve(None).await;
    let config = Config {
        duration: None,
        ..brief(url)
    };
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let mut tell = Some(tell);
    let stop = async { drop(told.await) };
    let report = run(config, stop, |_| drop(tell.take())).await.unwrap();
    assert!(report.requests > 0);
    assert_eq!((report.failed, report.lost_writes), (0, 0));
}

#[tokio::test]
async fn a_service_that_never_answers_is_given_up_after_the_timeout() {
    let router = people()
        .route(
            "/api/v1/projects/{id}/tasks",
            post(async || StatusCode::CREATED).get(pending::<StatusCode>),
        )
        .route(
            "/api/v1/tasks/{id}",
            get(pending::<StatusCode>).patch(pending::<StatusCode>),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = Config {
        timeout: Duration::from_millis(100),
        duration: Some(Duration::from_millis(300)),
        ..brief(url)
    };
    let report = run(config, pending(), |_| {}).await.unwrap();
    assert!(report.failed > 0);
    assert!(
        report
            .failures
            .iter()
            .any(|failure| failure.error.as_deref() == Some("no answer within 0.1 s"))
    );
    assert_eq!(report.lost_writes, 0);
    assert_eq!(report.unverified_writes, report.acknowledged_writes);
}

#[tokio::test]
async fn nobody_at_the_address_is_an_error_that_says_so() {
    let config = Config {
        duration: None,
        ..brief("http://nothing like a url".to_owned())
    };
    let error = run(config, pending(), |_| {}).await.unwrap_err();
    assert_eq!(error.to_string(), "could not tell where to send the load");
}

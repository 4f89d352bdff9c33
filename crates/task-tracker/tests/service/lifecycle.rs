//! The end of an instance, as its load balancer and its clients see it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body;
use hyper::Method;
use serde_json::json;
use task_tracker::Unfinished;
use tokio::task::JoinSet;

use crate::{
    api::Api,
    instance::{Instance, start},
    line::{Line, until, within},
};

/// Sends over kept-alive connections until the health check says to stop, as a load balancer does.
#[tokio::test]
async fn the_end_loses_no_request_of_a_proxy_that_heeds_the_health_check() {
    let service = start("--drain-seconds 0.5").await;
    let path = format!("/api/v1/projects/{}", service.api.project().await);
    let healthy = Arc::new(AtomicBool::new(true));
    let sent = Arc::new(AtomicUsize::new(0));
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let (healthy, sent, path) = (Arc::clone(&healthy), Arc::clone(&sent), path.clone());
        let api = service.api.afresh();
        clients.spawn(async move {
            let mut outcomes = Vec::new();
            while healthy.load(Ordering::SeqCst) {
                let request = api.request(Method::GET, &path).body(Body::empty()).unwrap();
                let outcome = api.try_send(request).await.map(|reply| reply.status.as_u16());
                sent.fetch_add(1, Ordering::SeqCst);
                outcomes.push(outcome);
            }
            outcomes
        });
    }
    until("load flows", async || sent.load(Ordering::SeqCst) > 200).await;
    service.lifecycle.interrupt();
    let before = sent.load(Ordering::SeqCst);
    until("requests are served while draining", async || {
        sent.load(Ordering::SeqCst) > before + 50
    })
    .await;
    until("not ready", async || {
        Api::at(service.address).get("/readyz").await.status == 503
    })
    .await;
    healthy.store(false, Ordering::SeqCst);

    for outcomes in within(clients.join_all()).await {
        assert!(outcomes.iter().all(|outcome| *outcome == Ok(200)), "{outcomes:?}");
    }
    assert_eq!(service.ended().await, Ok(()));
}

#[tokio::test]
async fn while_draining_every_answer_asks_its_client_to_go_elsewhere() {
    let service = start("--drain-seconds 30").await;
    assert!(service.api.get("/livez").await.header("connection").is_empty());
    service.lifecycle.interrupt();
    for path in ["/livez", "/readyz", "/api/v1/projects"] {
        let reply = service.api.get(path).await;
        assert_eq!(reply.header("connection"), "close", "{path}");
        assert_eq!(reply.status == 503, path == "/readyz");
    }
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Err(Unfinished));
}

/// A change that waits for a row which the returned connection has locked.
async fn blocked_change(service: &Instance) -> (sqlx::PgConnection, tokio::task::JoinHandle<Result<u16, String>>) {
    let path = format!("/api/v1/projects/{}", service.api.project().await);
    let mut other = service.database.connect().await;
    sqlx::raw_sql("begin; select from projects for update")
        .execute(&mut other)
        .await
        .unwrap();
    let api = service.api.clone();
    let change = tokio::spawn(async move {
        let request = api
            .request(Method::PATCH, &path)
            .header("if-match", "*")
            .header("content-type", "application/json");
        let request = request
            .body(Body::from(json!({ "name": "orchard" }).to_string()))
            .unwrap();
        api.try_send(request).await.map(|reply| reply.status.as_u16())
    });
    // Not by the connection that holds the lock: within a transaction the list of sessions stays what it was at first, and
    // the session that waits may be a new one.
    let mut onlooker = service.database.connect().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let waiting: bool = sqlx::query_scalar(
            "select exists (select from pg_stat_activity
                            where datname = current_database() and wait_event_type = 'Lock')",
        )
        .fetch_one(&mut onlooker)
        .await
        .unwrap();
        if waiting {
            return (other, change);
        }
        assert!(tokio::time::Instant::now() < deadline, "the change never waits");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn what_is_in_flight_at_the_end_is_finished() {
    let service = start("").await;
    let (mut other, change) = blocked_change(&service).await;
    let mut late = Line::to(service.address).await;
    service.lifecycle.interrupt();
    // Connected before the end and silent so far: its request still counts.
    late.say("GET /livez HTTP/1.1\r\nhost: test\r\n\r\n").await;
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    assert_eq!(change.await.unwrap(), Ok(200));
    assert!(late.rest().await.starts_with("HTTP/1.1 200"));
    assert_eq!(service.ended().await, Ok(()));
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let service = start("--drain-seconds 50").await;
    let (_lock, change) = blocked_change(&service).await;
    service.lifecycle.interrupt();
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Err(Unfinished));
    assert!(change.await.unwrap().is_err());
}

#[tokio::test]
async fn the_deadline_after_the_drain_ends_it_too() {
    let service = start("--finish-seconds 0.1").await;
    let (_lock, change) = blocked_change(&service).await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Err(Unfinished));
    assert!(change.await.unwrap().is_err());
}

/// A task that is taken for ill when it is full hands its users to others, which are as full.
#[tokio::test]
async fn the_health_check_is_answered_when_every_place_is_taken() {
    let service = start("--max-connections 3").await;
    let ask = async |line: &mut Line, path: &str| {
        let credentials = service.api.credentials();
        line.say(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n{credentials}\r\n\r\n"))
            .await;
        line.hear().await
    };
    let mut users = Vec::new();
    for _ in 0..3 {
        let mut user = Line::to(service.address).await;
        assert!(ask(&mut user, "/api/v1/projects").await.starts_with("HTTP/1.1 200"));
        users.push(user);
    }
    for (path, status) in [("/livez", "200"), ("/readyz", "200"), ("/api/v1/projects", "503")] {
        let answer = ask(&mut Line::to(service.address).await, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains("connection: close\r\n"), "{path}: {answer}");
        assert_eq!(answer.contains("problem:busy"), status == "503", "{path}: {answer}");
    }
    // Who had a place keeps it, and whoever gives it up makes room.
    assert!(ask(&mut users[0], "/api/v1/projects").await.starts_with("HTTP/1.1 200"));
    drop(users.pop());
    until("there is a place again", async || {
        let answer = ask(&mut Line::to(service.address).await, "/api/v1/projects").await;
        answer.starts_with("HTTP/1.1 200")
    })
    .await;
}

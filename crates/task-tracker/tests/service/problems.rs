use hyper::Method;
use serde_json::json;

use crate::{api::Reply, instance::start};

fn assert_is_problem(reply: &Reply, case: &str) {
    assert_eq!(reply.header("content-type"), "application/problem+json", "{case}");
    assert_eq!(reply.body["status"], reply.status.as_u16(), "{case}");
    assert!(
        reply.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
        "{case}"
    );
    assert_eq!(reply.header("x-release"), "1.2.3", "{case}");
    assert!(!reply.header("x-request-id").is_empty(), "{case}");
}

#[tokio::test]
async fn bodies_that_will_not_do_are_refused_by_name() {
    let service = start("").await;
    let long = "x".repeat(201);
    let huge = json!({ "name": "a", "description": "x".repeat(70_000) }).to_string();
    let nil = r#"{"id":"00000000-0000-0000-0000-000000000000","name":"a"}"#;
    for (body, status, problem) in [
        ("{", 400, "malformed"),
        ("", 400, "malformed"),
        ("{}", 422, "invalid"),
        ("[]", 422, "invalid"),
        (r#"{"name":"a","colour":"red"}"#, 422, "invalid"),
        (r#"{"name":""}"#, 422, "invalid"),
        (r#"{"name":"a\u0000b"}"#, 422, "invalid"),
        (r#"{"name":"a","description":"\u0000"}"#, 422, "invalid"),
        (r#"{"name":7}"#, 422, "invalid"),
        (r#"{"name":"a","id":"7"}"#, 422, "invalid"),
        (nil, 422, "invalid"),
        (&format!(r#"{{"name":"{long}"}}"#), 422, "invalid"),
        (&huge, 413, "too-large"),
    ] {
        let request = service
            .api
            .request(Method::POST, "/api/v1/projects")
            .header("content-type", "application/json");
        let reply = service.api.send(request.body(body.to_owned().into()).unwrap()).await;
        let case: String = body.chars().take(60).collect();
        assert_eq!(
            (reply.status.as_u16(), reply.problem()),
            (status, problem),
            "{case}: {}",
            reply.body["detail"]
        );
        assert_is_problem(&reply, &case);
    }
}

#[tokio::test]
async fn changes_that_will_not_do_are_refused_by_name() {
    let service = start("").await;
    let project = service.api.project().await;
    let path = format!("/api/v1/tasks/{}", service.api.task(&project, "dig").await);
    for change in [
        json!({}),
        json!({ "status": "later" }),
        json!({ "id": project }),
        json!({ "title": "\u{0}" }),
    ] {
        let reply = service.api.patch(&path, "\"1\"", change.clone()).await.expect(422);
        assert_is_problem(&reply, &change.to_string());
    }
    // Null is no value of any field; serde_json calls that a syntax error where the field is an enum.
    for change in [json!({ "title": null }), json!({ "status": null })] {
        let reply = service.api.patch(&path, "\"1\"", change.clone()).await;
        assert!(reply.status.is_client_error(), "{change}: {reply:?}");
        assert_is_problem(&reply, &change.to_string());
    }
    assert_eq!(service.api.get(&path).await.expect(200).body["version"], 1);
}

#[tokio::test]
async fn paths_queries_and_methods_that_will_not_do_are_refused_by_name() {
    let service = start("").await;
    for (method, path, status, problem) in [
        (Method::GET, "/", 404, "no-such-route"),
        (Method::GET, "/api/v1/nothing", 404, "no-such-route"),
        (Method::POST, "/api/v2/projects", 404, "no-such-route"),
        (Method::GET, "/api/v1/tasks/7", 400, "malformed"),
        (Method::GET, "/api/v1/tasks/%00", 400, "malformed"),
        (Method::GET, "/api/v1/tasks/%FF", 400, "malformed"),
        (Method::GET, "/api/v1/projects?limit=0", 400, "malformed"),
        (Method::GET, "/api/v1/projects?limit=-1", 400, "malformed"),
        (Method::GET, "/api/v1/projects?limit=101", 400, "malformed"),
        (Method::GET, "/api/v1/projects?offset=3", 400, "malformed"),
        (Method::GET, "/api/v1/projects?cursor=%00", 400, "foreign-cursor"),
        (Method::PUT, "/api/v1/projects", 405, "method-not-allowed"),
        (Method::DELETE, "/livez", 405, "method-not-allowed"),
        (Method::POST, "/api/v1/projects", 415, "unsupported-media-type"),
    ] {
        let request = service
            .api
            .request(method.clone(), path)
            .body(axum::body::Body::empty())
            .unwrap();
        let reply = service.api.send(request).await;
        let case = format!("{method} {path}");
        assert_eq!(
            (reply.status.as_u16(), reply.problem()),
            (status, problem),
            "{case}: {}",
            reply.body
        );
        assert_is_problem(&reply, &case);
        assert_eq!(status == 405, reply.headers.contains_key("allow"), "{case}");
    }
}

#[tokio::test]
async fn a_sane_request_id_comes_back_and_another_is_replaced() {
    let service = start("").await;
    for (sent, kept) in [("01H-trace.7", true), ("with space", false), (&"x".repeat(101), false)] {
        let request = service.api.request(Method::GET, "/livez").header("x-request-id", sent);
        let reply = service.api.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(reply.header("x-request-id") == sent, kept, "{sent}");
    }
}

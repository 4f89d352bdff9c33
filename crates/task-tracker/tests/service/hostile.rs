//! Requests that no client of good will sends. Each is answered with a problem that says what was wrong, or its connection is
//! closed; and the service goes on serving everybody else.

use axum::body::Body;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, Reply},
    instance::{Instance, start},
    line::Line,
};

/// What was wrong is the client's doing, is said, and nobody else notices.
fn assert_is_problem(reply: &Reply, case: &str) {
    assert!(reply.status.is_client_error(), "{case}: {reply:?}");
    assert_eq!(reply.header("content-type"), "application/problem+json", "{case}");
    assert_eq!(reply.body["status"], reply.status.as_u16(), "{case}");
    assert!(
        reply.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
        "{case}"
    );
}

async fn assert_goes_on(service: &Instance) {
    service.api.afresh().get("/api/v1/projects").await.expect(200);
    let metrics = Api::at(service.metrics).get("/metrics").await.expect(200);
    let text = metrics.body.as_str().unwrap();
    assert!(!text.contains("status=\"5"), "{text}");
}

#[tokio::test]
async fn bodies_that_are_no_json_or_too_much_of_it_are_refused() {
    let service = start("").await;
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(5000), close.repeat(5000)).into_bytes();
    let in_a_field = |value: &[u8]| [b"{\"name\":\"a\",\"description\":", value, b"}"].concat();
    for (case, body, status, problem) in [
        ("deep lists", deep("[", "]"), 422, "invalid"),
        ("deep lists in a field", in_a_field(&deep("[", "]")), 422, "invalid"),
        ("deep objects", deep("{\"name\":", "}"), 422, "invalid"),
        ("lists without an end", b"[".repeat(60_000), 422, "invalid"),
        ("bad UTF-8", in_a_field(b"\"\xff\xfe\""), 400, "malformed"),
        (
            "bad UTF-8 of a surrogate",
            in_a_field(b"\"\xed\xa0\x80\""),
            400,
            "malformed",
        ),
        ("bad UTF-8 in a name", b"{\"na\xffme\":1}".to_vec(), 400, "malformed"),
        ("half a surrogate", in_a_field(br#""\ud800""#), 400, "malformed"),
        ("a raw NUL", b"{\"name\":\"a\0b\"}".to_vec(), 400, "malformed"),
        ("only NULs", vec![0; 1000], 400, "malformed"),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec(), 400, "malformed"),
        (
            "a byte order mark",
            b"\xef\xbb\xbf{\"name\":\"a\"}".to_vec(),
            400,
            "malformed",
        ),
        ("a name twice", br#"{"name":"a","name":"b"}"#.to_vec(), 422, "invalid"),
        (
            "a name twice, once escaped",
            br#"{"name":"a","\u006eame":"b"}"#.to_vec(),
            422,
            "invalid",
        ),
        (
            "a number without bounds",
            br#"{"name":1e999999999}"#.to_vec(),
            400,
            "malformed",
        ),
        (
            "something behind the end",
            br#"{"name":"a"}{}"#.to_vec(),
            400,
            "malformed",
        ),
        (
            "a prototype",
            br#"{"name":"a","__proto__":{"role":"owner"}}"#.to_vec(),
            422,
            "invalid",
        ),
    ] {
        let request = service
            .api
            .request(Method::POST, "/api/v1/projects")
            .header("content-type", "application/json");
        let reply = service.api.send(request.body(Body::from(body)).unwrap()).await;
        assert_is_problem(&reply, case);
        assert_eq!(
            (reply.status.as_u16(), reply.problem()),
            (status, problem),
            "{case}: {}",
            reply.body
        );
    }
    let made = service.api.every("/api/v1/projects?limit=100").await;
    assert_eq!(made, Vec::<Value>::new());
    assert_goes_on(&service).await;
}

#[tokio::test]
async fn what_stands_in_paths_and_queries_is_read_or_refused() {
    let service = start("").await;
    let project = service.api.project().await;
    for query in [
        "limit=99999999999999999999",
        "limit=-99999999999999999999",
        "limit=-1",
        "limit=0",
        "limit=1e1",
        "limit=1.5",
        "limit=ten",
        "limit=",
        "limit=%00",
        "limit=%F0%9F%90%9B",
        "limit=10&limit=20",
        "offset=-1",
        "cursor=%00",
        "cursor=%FF%FE",
        "cursor=AAAA",
        "q=%00",
        "q=dig%00rake",
        "status=%00",
        "status=open&status=open",
        "sort=rank%00",
        "sort=rank;drop+table+tasks",
        "assignee=%00",
        "__proto__=1",
    ] {
        let reply = service
            .api
            .get(&format!("/api/v1/projects/{project}/tasks?{query}"))
            .await;
        assert_is_problem(&reply, query);
    }
    for path in [
        "/api/v1/projects/%00",
        "/api/v1/projects/%FF%FE",
        "/api/v1/projects/-1",
        "/api/v1/projects/99999999999999999999",
        "/api/v1/projects/../../etc/passwd",
        "/api/v1/projects/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/api/v1/projects/00000000-0000-0000-0000-000000000000",
        "/api/v1//projects",
        "/%00",
    ] {
        assert_is_problem(&service.api.get(path).await, path);
    }
    let longest = service.api.get(&format!("/api/v1/tasks/{}", "7".repeat(20_000))).await;
    assert_is_problem(&longest, "a long path");
    assert_goes_on(&service).await;
}

#[tokio::test]
async fn headers_that_make_no_sense_are_refused_or_passed_over() {
    let service = start("").await;
    let project = service.api.project().await;
    let task = service.api.task(&project, "dig").await;
    let (of_task, events) = (
        format!("/api/v1/tasks/{task}"),
        format!("/api/v1/projects/{project}/events"),
    );
    for (method, path, name, value, status) in [
        (Method::PATCH, of_task.as_str(), "if-match", &b"\xff\xfe"[..], 400),
        (Method::PATCH, &of_task, "if-match", b"\"99999999999999999999\"", 412),
        (Method::PATCH, &of_task, "if-match", b"\"-1\"", 412),
        (Method::PATCH, &of_task, "if-match", b"W/\"1\"", 412),
        (Method::POST, "/api/v1/projects", "idempotency-key", b"\xff\xfe", 400),
        (Method::POST, "/api/v1/projects", "idempotency-key", b"", 400),
        (Method::POST, "/api/v1/projects", "content-type", b"\xff\xfe", 415),
        (Method::GET, &events, "last-event-id", b"\xff\xfe", 400),
        (Method::GET, &events, "last-event-id", b"-1", 400),
        (Method::GET, "/api/v1/projects", "authorization", b"\xff\xfe", 401),
        (Method::GET, "/api/v1/projects", "authorization", b"Bearer", 401),
        (
            Method::GET,
            "/api/v1/projects",
            "authorization",
            b"Basic YW5uOmFubg==",
            401,
        ),
    ] {
        let mut request = service.api.request(method, path);
        if name != "content-type" {
            request = request.header("content-type", "application/json");
        }
        let request = request
            .header(name, value)
            .body(Body::from(r#"{"title":"rake"}"#))
            .unwrap();
        let reply = service.api.send(request).await;
        let case = format!("{name}: {}", String::from_utf8_lossy(value));
        assert_is_problem(&reply, &case);
        assert_eq!(reply.status.as_u16(), status, "{case}: {}", reply.body);
    }
    for (name, value) in [
        ("x-forwarded-for", &b"\xff\xfe"[..]),
        ("x-forwarded-for", b"nowhere, -1, 999.999.999.999"),
        ("x-request-id", b"\xff\xfe"),
        ("user-agent", b"\xff\xfe"),
        ("accept", b"\xff\xfe"),
        (
            "traceparent",
            b"00-ffffffffffffffffffffffffffffffff-zzzzzzzzzzzzzzzz-99",
        ),
    ] {
        let login = json!({ "email": "nobody@example.com", "password": "correct horse battery" });
        let request = service.api.anonymous().request(Method::POST, "/api/v1/session");
        let request = request.header("content-type", "application/json").header(name, value);
        let reply = service
            .api
            .send(request.body(Body::from(login.to_string())).unwrap())
            .await;
        assert_eq!(reply.status, 401, "{name}: {reply:?}");
    }
    assert_eq!(service.api.get(&of_task).await.expect(200).body["version"], 1);
    assert_goes_on(&service).await;
}

/// What is not HTTP is not answered by us but by whoever reads HTTP for us, which may hang up without a word.
#[tokio::test]
async fn what_is_not_http_is_hung_up_on() {
    let service = start("--header-seconds 0.5").await;
    let credentials = service.api.credentials();
    let get = format!("GET /api/v1/projects HTTP/1.1\r\nhost: test\r\n{credentials}\r\nconnection: close\r\n");
    let post = format!(
        "POST /api/v1/projects HTTP/1.1\r\nhost: test\r\n{credentials}\r\nconnection: close\r\ncontent-type: application/json\r\n"
    );
    let many = "x-test: 1\r\n".repeat(500);
    for (case, text) in [
        ("nonsense", "nonsense\r\n\r\n".to_owned()),
        ("TLS", "\u{16}\u{3}\u{1}\0\u{1}\0\u{1}\0".to_owned()),
        (
            "HTTP/2 without a word before",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        ),
        (
            "a NUL in the path",
            "GET /api/v1/\0 HTTP/1.1\r\nhost: test\r\n\r\n".to_owned(),
        ),
        (
            "a NUL in the query",
            "GET /api/v1/projects?q=\0 HTTP/1.1\r\nhost: test\r\n\r\n".to_owned(),
        ),
        ("a NUL in a header", format!("{get}x-test: a\0b\r\n\r\n")),
        ("a NUL in a header's name", format!("{get}x-te\0st: a\r\n\r\n")),
        ("more headers than there may be", format!("{get}{many}\r\n")),
        (
            "a header as large as a book",
            format!("{get}x-test: {}\r\n\r\n", "x".repeat(1_000_000)),
        ),
        ("half-sent headers", get.clone()),
        ("half a line", "GET /api/v1/pro".to_owned()),
        ("a negative length", format!("{post}content-length: -1\r\n\r\n{{}}")),
        (
            "a length that is none",
            format!("{post}content-length: ten\r\n\r\n{{}}"),
        ),
        (
            "a length beyond all bounds",
            format!("{post}content-length: 99999999999999999999999\r\n\r\n{{}}"),
        ),
        (
            "two lengths",
            format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        ),
        (
            "a large length",
            format!("{post}content-length: 9999999999\r\n\r\n{{}}"),
        ),
        (
            "a chunk that is none",
            format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n"),
        ),
        (
            "a chunk beyond all bounds",
            format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n{{}}\r\n"),
        ),
    ] {
        let mut line = Line::to(service.address).await;
        // Hung up on before all of it was taken is hung up on.
        line.try_say(&text).await;
        let answer = line.rest().await;
        if answer.is_empty() {
            continue;
        }
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(answer.starts_with("HTTP/1.1 4"), "{case}: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            body.is_empty() || head.to_lowercase().contains("content-type: application/problem+json"),
            "{case}, {status}: {answer}"
        );
    }
    let made = service.api.every("/api/v1/projects?limit=100").await;
    assert_eq!(made, Vec::<Value>::new());
    assert_goes_on(&service).await;
}

/// A body is waited for so long as is said, whoever reads it.
#[tokio::test]
async fn bodies_that_come_too_slowly_are_not_waited_for() {
    let service = start("--request-seconds 30").await;
    let project = service.api.project().await;
    let table = format!("/api/v1/projects/{project}/tasks.csv");
    let credentials = service.api.credentials();
    let mut lines = Vec::new();
    for (path, kind, more) in [
        ("/api/v1/projects", "application/json", credentials.clone()),
        (
            "/api/v1/projects",
            "application/json",
            format!("{credentials}\r\nidempotency-key: slow"),
        ),
        ("/api/v1/session", "application/json", "x-test: nobody".to_owned()),
        ("/api/v1/projects/import", "application/json", credentials.clone()),
        (&table, "text/csv", credentials.clone()),
    ] {
        let mut line = Line::to(service.address).await;
        line.say(&format!(
            "POST {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{more}\r\ncontent-type: {kind}\r\ncontent-length: 40\r\n\r\n{{\"name\""
        ))
        .await;
        lines.push((path.to_owned(), line));
    }
    for (path, line) in lines {
        let answer = line.rest().await;
        assert!(answer.starts_with("HTTP/1.1 408 "), "{path}: {answer}");
        assert!(
            answer.contains("application/problem+json") && answer.contains("body-too-slow"),
            "{path}: {answer}"
        );
    }
    assert_goes_on(&service).await;
}

#[tokio::test]
async fn an_invitation_is_accepted_with_a_token_of_the_length_that_is_documented() {
    let service = start("").await;
    for (token, status) in [
        (String::new(), 422),
        ("x".repeat(101), 422),
        ("x".repeat(60_000), 422),
        ("x".repeat(100), 404),
        ("\u{0}".to_owned(), 404),
    ] {
        let reply = service
            .api
            .post("/api/v1/invitations/accept", json!({ "token": token }))
            .await
            .expect(status);
        assert_is_problem(&reply, &format!("{} characters", token.len()));
    }
}

//! How often and how much at a time: of each limit, that it is there, whom it meets and whom it does not.

use axum::body::Body;
use hyper::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::{
    api::{Api, Reply},
    following::Stream,
    instance::{Instance, start},
    line::{Line, until},
};

const PASSWORD: &str = "correct horse battery";

/// As from this address, by way of our own proxy.
async fn post_from(api: &Api, address: &str, path: &str, body: &Value) -> Reply {
    let request = api
        .request(Method::POST, path)
        .header("content-type", "application/json")
        .header("x-forwarded-for", address);
    api.send(request.body(Body::from(body.to_string())).unwrap()).await
}

fn assert_is_throttled(reply: &Reply, policy: &str) {
    assert_eq!(
        (reply.status.as_u16(), reply.problem()),
        (429, "throttled"),
        "{reply:?}"
    );
    assert_eq!(reply.header("ratelimit-policy"), policy);
    let (name, _) = policy.split_once(';').unwrap();
    assert!(
        reply.header("ratelimit").starts_with(&format!("{name};r=0;")),
        "{reply:?}"
    );
    assert!(reply.header("retry-after").parse::<u64>().unwrap() >= 1);
}

/// Takes all but one use of a limit, as if they had been made just now.
async fn use_up(connection: &mut PgConnection, key: &str, uses: u32, window: &str) {
    sqlx::query(AssertSqlSafe(format!(
        "insert into throttles (key, full_at) select {key}, now() + interval '{window}' * ({uses} - 1) / {uses}"
    )))
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn logins_are_counted_by_network_and_by_account() {
    let service = start("").await;
    let mut connection = service.database.connect().await;
    let api = service.api.anonymous();
    let login = async |address: &str, email: &str| {
        let body = json!({ "email": email, "password": "wrong horse battery" });
        post_from(&api, address, "/api/v1/session", &body).await
    };

    // One network at many accounts.
    use_up(&mut connection, "'login//198.51.100.1'", 300, "15 minutes").await;
    login("198.51.100.1", "first@example.com").await.expect(401);
    let refused = login("198.51.100.1", "second@example.com").await;
    assert_is_throttled(&refused, "\"logins-network\";q=300;w=900");
    login("198.51.100.2", "second@example.com").await.expect(401);
    use_up(&mut connection, "'login//2001:db8:0:1::/64'", 300, "15 minutes").await;
    login("2001:db8:0:1::7", "third@example.com").await.expect(401);
    let refused = login("2001:db8:0:1:8::9", "fourth@example.com").await;
    assert_is_throttled(&refused, "\"logins-network\";q=300;w=900");

    // Many networks at one account.
    let account = "'login/' || encode(sha256('bob@example.com'), 'hex')";
    use_up(&mut connection, account, 100, "1 hour").await;
    login("198.51.100.3", "bob@example.com").await.expect(401);
    let refused = login("198.51.100.4", "BOB@example.com").await;
    assert_is_throttled(&refused, "\"logins-account\";q=100;w=3600");
    login("198.51.100.4", "carol@example.com").await.expect(401);
}

#[tokio::test]
async fn registrations_are_counted_by_network() {
    let service = start("").await;
    let mut connection = service.database.connect().await;
    use_up(&mut connection, "'register/198.51.100.1'", 300, "1 hour").await;
    let api = service.api.anonymous();
    let register = async |address: &str, name: &str| {
        let body = json!({ "email": format!("{name}@example.com"), "name": name, "password": PASSWORD });
        post_from(&api, address, "/api/v1/accounts", &body).await
    };
    register("198.51.100.1", "bob").await.expect(201);
    let refused = register("198.51.100.1", "carol").await;
    assert_is_throttled(&refused, "\"registrations\";q=300;w=3600");
    register("198.51.100.2", "carol").await.expect(201);
}

#[tokio::test]
async fn password_changes_are_counted_by_user_wherever_they_come_from() {
    let service = start("").await;
    let mut connection = service.database.connect().await;
    let (bob_id, bob) = service.user("bob").await;
    use_up(&mut connection, &format!("'password/{bob_id}'"), 10, "15 minutes").await;
    let change = json!({ "current": "wrong horse battery", "new": PASSWORD });
    let guess = async |api: &Api, address: &str| post_from(api, address, "/api/v1/me/password", &change).await;
    guess(&bob, "198.51.100.1").await.expect(403);
    let refused = guess(&bob, "198.51.100.2").await;
    assert_is_throttled(&refused, "\"logins\";q=10;w=900");
    guess(&service.api, "198.51.100.1").await.expect(403);
}

#[tokio::test]
async fn requests_of_one_user_have_a_limit_and_it_is_their_own() {
    let service = start("--requests-per-minute 5").await;
    let (_, bob) = service.user("bob").await;
    for _ in 0..4 {
        bob.get("/api/v1/projects").await.expect(200);
    }
    // Changes are requests too.
    bob.post("/api/v1/projects", json!({ "name": "garden" }))
        .await
        .expect(201);
    let refused = bob.get("/api/v1/projects").await;
    assert_is_throttled(&refused, "\"requests\";q=5;w=60");
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!(wait <= 12, "one of five comes back in twelve seconds: {wait}");
    service.api.get("/api/v1/projects").await.expect(200);
    bob.get("/livez").await.expect(200);
}

#[tokio::test]
async fn strangers_have_a_limit_by_network_and_users_beside_them_none() {
    let service = start("--anonymous-per-minute 3").await;
    let from = async |api: &Api, address: &str| {
        let request = api
            .request(Method::GET, "/api/v1/projects")
            .header("x-forwarded-for", address);
        api.send(request.body(Body::empty()).unwrap()).await
    };
    let (nobody, somebody) = (service.api.anonymous(), service.api.with_token("tt_nothing"));
    from(&nobody, "198.51.100.1").await.expect(401);
    from(&somebody, "198.51.100.1").await.expect(401);
    let login = json!({ "email": "nobody@example.com", "password": PASSWORD });
    post_from(&nobody, "198.51.100.1", "/api/v1/session", &login)
        .await
        .expect(401);
    for stranger in [&nobody, &somebody] {
        let refused = from(stranger, "198.51.100.1").await;
        assert_is_throttled(&refused, "\"requests-network\";q=3;w=60");
    }
    let refused = post_from(&nobody, "198.51.100.1", "/api/v1/session", &login).await;
    assert_is_throttled(&refused, "\"requests-network\";q=3;w=60");
    from(&nobody, "198.51.100.2").await.expect(401);
    for _ in 0..5 {
        from(&service.api, "198.51.100.1").await.expect(200);
    }
}

#[tokio::test]
async fn a_user_has_so_many_streams_and_a_closed_one_counts_no_more() {
    let service = start("--streams-per-user 2").await;
    let project = service.api.project().await;
    let (_, bob) = service.member(&project, "bob", "viewer").await;
    let first = Stream::open(&service.api.afresh(), &project, None).await;
    let _second = Stream::open(&service.api, &project, None).await;
    let events = format!("/api/v1/projects/{project}/events");
    let refused = service.api.get(&events).await.expect(429);
    assert_eq!(refused.problem(), "too-many-at-once");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    let _bobs = Stream::open(&bob, &project, None).await;
    drop(first);
    until("the closed stream is noticed", async || {
        let again = service.api.afresh();
        let (status, ..) = again.head_of(again.request(Method::GET, &events)).await;
        status == 200
    })
    .await;
}

/// More than all the buffers between the service and a client that does not read.
async fn large_project(service: &Instance, api: &Api) -> String {
    let project = api.project().await;
    sqlx::query(AssertSqlSafe(format!(
        "insert into tasks (id, project_id, title, description)
         select gen_random_uuid(), '{project}', 'task ' || n, repeat('x', 10000) from generate_series(1, 3000) as n"
    )))
    .execute(&mut service.database.connect().await)
    .await
    .unwrap();
    project
}

#[tokio::test]
async fn a_user_has_two_exports_or_imports_at_a_time() {
    let service = start("").await;
    let api = &service.api;
    let project = large_project(&service, api).await;
    let path = format!("/api/v1/projects/{project}/export");
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let mut line = Line::to(service.address).await;
        let credentials = api.credentials();
        line.say(&format!("GET {path} HTTP/1.1\r\nhost: test\r\n{credentials}\r\n\r\n"))
            .await;
        assert!(line.hear().await.starts_with("HTTP/1.1 200"));
        under_way.push(line);
    }
    let table = api.request(Method::POST, &format!("/api/v1/projects/{project}/tasks.csv"));
    let table = table
        .header("content-type", "text/csv")
        .body(Body::from("title\n"))
        .unwrap();
    for refused in [
        api.get(&path).await,
        api.get(&format!("/api/v1/projects/{project}/tasks.csv")).await,
        api.get("/api/v1/me/export").await,
        api.send(table).await,
        api.post("/api/v1/projects/import", json!({})).await,
    ] {
        assert_eq!((refused.status.as_u16(), refused.problem()), (429, "too-many-at-once"));
        assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    }
    let (_, bob) = service.user("bob").await;
    bob.get("/api/v1/me/export").await.expect(200);
    api.get(&format!("/api/v1/projects/{project}")).await.expect(200);
    drop(under_way);
    until("the abandoned exports are noticed", async || {
        api.get("/api/v1/me/export").await.status == 200
    })
    .await;
}

/// The pool has four connections here, and nobody waits long for one. What keeps an export waiting is a lock.
#[tokio::test]
async fn exports_leave_connections_for_everybody_else() {
    let service = start("--database-acquire-seconds 0.3").await;
    let mut holding = service.database.connect().await;
    sqlx::raw_sql("begin; lock table saved_filters in access exclusive mode")
        .execute(&mut holding)
        .await
        .unwrap();
    let mut exports = Vec::new();
    for number in 0..6 {
        let (_, user) = service.user(&format!("user{number}")).await;
        let user = user.afresh();
        exports.push(tokio::spawn(async move { user.get("/api/v1/me/export").await }));
    }
    let mut onlooker = service.database.connect().await;
    let mut waiting = async || {
        sqlx::query_scalar::<_, i64>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut onlooker)
        .await
        .unwrap()
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while waiting().await < 2 {
        assert!(std::time::Instant::now() < deadline, "no export waits");
    }
    let login = json!({ "email": "nobody@example.com", "password": PASSWORD });
    service.api.anonymous().post("/api/v1/session", login).await.expect(401);
    service.api.project().await;
    assert!(waiting().await <= 2, "no more than half of the pool");
    sqlx::raw_sql("rollback").execute(&mut holding).await.unwrap();
    for export in exports {
        let reply = export.await.unwrap();
        assert!([200, 503].contains(&reply.status.as_u16()), "{reply:?}");
    }
}

#[tokio::test]
async fn each_row_of_an_import_counts_as_a_change() {
    let service = start("--writes-per-minute 20").await;
    let api = &service.api;
    let left = |reply: &Reply| -> u64 {
        let (_, left) = reply.header("ratelimit").split_once(";r=").unwrap();
        left.split(';').next().unwrap().parse().unwrap()
    };
    let table = async |api: &Api, project: &str, rows: usize| {
        let request = api.request(Method::POST, &format!("/api/v1/projects/{project}/tasks.csv"));
        let request = request.header("content-type", "text/csv");
        let text = format!("title\n{}", "dig\n".repeat(rows));
        api.send(request.body(Body::from(text)).unwrap()).await
    };
    let project = api.project().await;
    let added = table(api, &project, 8).await.expect(201);
    // Of twenty the project took one; one more comes back every three seconds.
    assert!((11..15).contains(&left(&added)), "{added:?}");
    let refused = table(api, &project, 19).await;
    assert_is_throttled_for(&refused, 19);
    let tasks = api.get(&format!("/api/v1/projects/{project}/tasks")).await.expect(200);
    assert_eq!(tasks.body["items"].as_array().unwrap().len(), 8, "nothing was added");

    // A document cannot be sent in parts, so one that has more takes all that a minute has.
    let (_, bob) = service.user("bob").await;
    let task = json!({ "title": "dig", "comments": [{ "body": "Where?", "created_at": "2020-02-29T12:00:00Z" }] });
    let document = |tasks: usize| {
        json!({
            "format": "task-tracker.project/2", "project": { "name": "garden" }, "tasks": vec![task.clone(); tasks],
        })
    };
    let made = bob.post("/api/v1/projects/import", document(2)).await.expect(201);
    assert!((16..20).contains(&left(&made)), "two tasks and two comments: {made:?}");
    let (_, carol) = service.user("carol").await;
    let made = carol.post("/api/v1/projects/import", document(30)).await.expect(201);
    assert!(left(&made) < 4, "{made:?}");
    let refused = carol.post("/api/v1/projects/import", document(30)).await.expect(429);
    assert_eq!(refused.problem(), "throttled");
}

fn assert_is_throttled_for(reply: &Reply, changes: u64) {
    assert_eq!(
        (reply.status.as_u16(), reply.problem()),
        (429, "throttled"),
        "{reply:?}"
    );
    assert_eq!(reply.header("ratelimit-policy"), "\"writes\";q=20;w=60");
    let wait: u64 = reply.header("retry-after").parse().unwrap();
    assert!((1..=changes * 3).contains(&wait), "{reply:?}");
}

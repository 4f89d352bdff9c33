//! Registering, logging in and out, sessions and passwords.

use std::time::Instant;

use axum::body::Body;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    api::{Api, Reply},
    instance::{Instance, start},
};

pub(crate) const PASSWORD: &str = "correct horse battery";

pub(crate) async fn register(service: &Instance, email: &str) -> Reply {
    let new = json!({ "email": email, "name": "Bob", "password": PASSWORD });
    service.api.anonymous().post("/api/v1/accounts", new).await
}

async fn login(api: &Api, email: &str, password: &str) -> Reply {
    let login = json!({ "email": email, "password": password });
    api.anonymous().post("/api/v1/session", login).await
}

#[tokio::test]
async fn an_account_lives_from_registering_to_a_new_password() {
    let service = start("").await;
    let registered = register(&service, "Bob@Example.com").await.expect(201);
    assert_eq!(registered.body["email"], "bob@example.com");
    let cookie = registered.header("set-cookie");
    for part in ["; Path=/;", "; Secure;", "; HttpOnly;", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{part}");
    }
    let first = service.api.with_session(registered.session());
    let me = first.get("/api/v1/me").await.expect(200);
    assert_eq!((me.id(), me.header("etag")), (registered.id(), "\"1\""));

    let second = login(&service.api, "BOB@example.com", PASSWORD).await.expect(200);
    let second = service.api.with_session(second.session());
    let changed = second
        .patch("/api/v1/me", "\"1\"", json!({ "name": "Robert" }))
        .await
        .expect(200);
    assert_eq!(
        (&changed.body["name"], &changed.body["version"]),
        (&json!("Robert"), &json!(2))
    );
    second
        .patch("/api/v1/me", "\"1\"", json!({ "name": "Bob" }))
        .await
        .expect(412);

    let sessions = second.get("/api/v1/sessions").await.expect(200).body;
    let current: Vec<&Value> = sessions["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["current"])
        .collect();
    assert_eq!(current, [&json!(false), &json!(true)]);

    let change = json!({ "current": PASSWORD, "new": "another horse entirely" });
    let renewed = second.post("/api/v1/me/password", change).await.expect(204);
    for ended in [&first, &second] {
        assert_eq!(ended.get("/api/v1/me").await.expect(401).problem(), "unauthenticated");
    }
    let renewed = service.api.with_session(renewed.session());
    renewed.get("/api/v1/me").await.expect(200);
    login(&service.api, "bob@example.com", PASSWORD).await.expect(401);
    login(&service.api, "bob@example.com", "another horse entirely")
        .await
        .expect(200);

    let out = renewed.delete("/api/v1/session", "*").await.expect(204);
    assert_eq!(out.session(), "");
    renewed.get("/api/v1/me").await.expect(401);
}

/// Somebody may have put their own session into this browser, or be about to leave it to somebody else.
#[tokio::test]
async fn whoever_logs_in_or_registers_leaves_the_session_they_came_with() {
    let service = start("").await;
    let bob = register(&service, "bob@example.com").await.expect(201);
    let mut old = service.api.with_session(bob.session());
    let own = json!({ "email": "bob@example.com", "password": PASSWORD });
    let wrong = json!({ "email": "bob@example.com", "password": "wrong horse battery" });
    old.post("/api/v1/session", wrong).await.expect(401);
    old.get("/api/v1/me").await.expect(200);
    let other = json!({ "email": "carol@example.com", "name": "Carol", "password": PASSWORD });
    for (path, body, status) in [
        ("/api/v1/session", own.clone(), 200),
        ("/api/v1/accounts", other.clone(), 201),
        ("/api/v1/session", own, 200),
    ] {
        let new = old.post(path, body).await.expect(status);
        let new = service.api.with_session(new.session());
        old.get("/api/v1/me").await.expect(401);
        new.get("/api/v1/me").await.expect(200);
        old = new;
    }
    // An address that is taken begins nothing and ends nothing.
    old.post("/api/v1/accounts", other).await.expect(409);
    old.get("/api/v1/me").await.expect(200);
    let ended: i64 = sqlx::query_scalar("select count(*) from events where action = 'session.ended'")
        .fetch_one(&mut service.database.connect().await)
        .await
        .unwrap();
    assert_eq!(ended, 3);
}

#[tokio::test]
async fn sessions_can_be_ended_one_by_one_or_all_but_this() {
    let service = start("").await;
    let registered = register(&service, "bob@example.com").await.expect(201);
    let here = service.api.with_session(registered.session());
    let mut others = Vec::new();
    for _ in 0..3 {
        let reply = login(&service.api, "bob@example.com", PASSWORD).await.expect(200);
        others.push(service.api.with_session(reply.session()));
    }
    let items = others[0].get("/api/v1/sessions").await.expect(200).body["items"].clone();
    let own = items
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["current"] == true)
        .unwrap();
    let path = format!("/api/v1/sessions/{}", own["id"].as_str().unwrap());
    service.api.delete(&path, "*").await.expect(404);
    here.delete(&path, "*").await.expect(204);
    here.delete(&path, "*").await.expect(404);
    others[0].get("/api/v1/me").await.expect(401);
    others[1].get("/api/v1/me").await.expect(200);

    here.delete("/api/v1/sessions", "*").await.expect(204);
    others[1].get("/api/v1/me").await.expect(401);
    here.get("/api/v1/me").await.expect(200);
    service.api.get("/api/v1/me").await.expect(200);
}

#[tokio::test]
async fn registrations_that_will_not_do_are_refused() {
    let service = start("").await;
    register(&service, "bob@example.com").await.expect(201);
    assert_eq!(
        register(&service, "BOB@example.com").await.expect(409).problem(),
        "conflict"
    );
    for (email, name, password) in [
        ("carol", "Carol", PASSWORD),
        ("carol@example.com", "", PASSWORD),
        ("carol@example.com", "Carol", "short"),
        ("carol@example.com", "Carol", "qwertyuiop"),
        ("carol@example.com", "Carol", "carol@example.com"),
        ("carol\u{0}@example.com", "Carol", PASSWORD),
    ] {
        let new = json!({ "email": email, "name": name, "password": password });
        service.api.post("/api/v1/accounts", new.clone()).await.expect(422);
    }
}

/// Not a figure, but of one order: without a hash for users who do not exist, these differ a hundredfold.
#[tokio::test]
async fn a_wrong_password_and_no_account_look_the_same() {
    let service = start("").await;
    register(&service, "bob@example.com").await.expect(201);
    let mut bodies = Vec::new();
    let mut shortest = Vec::new();
    for email in ["bob@example.com", "nobody@example.com"] {
        let mut times = Vec::new();
        for _ in 0..4 {
            let begun = Instant::now();
            let refused = login(&service.api, email, "wrong horse battery").await.expect(401);
            times.push(begun.elapsed());
            bodies.push(refused.body);
        }
        shortest.push(times.into_iter().min().unwrap());
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]), "{bodies:?}");
    assert!(shortest[1] * 5 > shortest[0], "{shortest:?}");
}

#[tokio::test]
async fn guessing_is_slowed_down_for_the_guesser_and_not_for_the_owner() {
    let service = start("").await;
    register(&service, "bob@example.com").await.expect(201);
    let from = async |address: &str, password: &str| {
        let body = json!({ "email": "bob@example.com", "password": password });
        let request = service
            .api
            .anonymous()
            .request(Method::POST, "/api/v1/session")
            .header("content-type", "application/json")
            .header("x-forwarded-for", format!("203.0.113.7, {address}"));
        service
            .api
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    };
    for _ in 0..10 {
        from("198.51.100.1", "wrong horse battery").await.expect(401);
    }
    let refused = from("198.51.100.1", PASSWORD).await.expect(429);
    assert_eq!(refused.problem(), "throttled");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert!(refused.header("ratelimit").starts_with("\"logins\";r=0;"));

    // The owner, from elsewhere; and a good login gives the owner's count back.
    for _ in 0..12 {
        from("198.51.100.2", PASSWORD).await.expect(200);
    }
}

#[tokio::test]
async fn an_expired_or_unused_session_is_none() {
    let service = start("").await;
    for (what, sql) in [
        (
            "expired",
            "update sessions set expires_at = now() - interval '1 second'",
        ),
        (
            "unused",
            "update sessions set last_used_at = now() - interval '15 days'",
        ),
        (
            "of a user who is leaving",
            "update users set erase_after = now() + interval '30 days'",
        ),
    ] {
        let (_, api) = service.user("bob").await;
        api.get("/api/v1/me").await.expect(200);
        sqlx::raw_sql(sql)
            .execute(&mut service.database.connect().await)
            .await
            .unwrap();
        let refused = api.get("/api/v1/me").await;
        assert_eq!(
            (refused.status.as_u16(), refused.header("www-authenticate")),
            (401, "Bearer"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_page_of_another_site_can_change_nothing() {
    let service = start("").await;
    let forged = async |api: &Api, method: Method, path: &str, name: &str, value: &str| {
        let request = api.request(method, path).header(name, value);
        let request = request.header("content-type", "application/json");
        api.send(
            request
                .body(Body::from(json!({ "name": "garden" }).to_string()))
                .unwrap(),
        )
        .await
    };
    let api = &service.api;
    for (name, value, status) in [
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("origin", "https://evil.example.com", 403),
        ("sec-fetch-site", "same-origin", 201),
    ] {
        let reply = forged(api, Method::POST, "/api/v1/projects", name, value)
            .await
            .expect(status);
        assert!(status == 201 || reply.problem() == "cross-origin");
    }
    let session = forged(
        &api.anonymous(),
        Method::POST,
        "/api/v1/session",
        "sec-fetch-site",
        "cross-site",
    )
    .await;
    assert_eq!(session.expect(403).problem(), "cross-origin");
    forged(api, Method::GET, "/api/v1/projects", "sec-fetch-site", "cross-site")
        .await
        .expect(200);
}

/// A token that a page cannot know is no cookie that a browser adds by itself.
#[tokio::test]
async fn api_tokens_do_what_their_scopes_say_until_they_end() {
    let service = start("").await;
    let new = json!({ "name": "ci", "scopes": ["tasks:read", "projects:write"], "expires_in_days": 7 });
    let made = service.api.post("/api/v1/tokens", new.clone()).await.expect(201);
    let secret = made.body["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("tt_") && secret.len() > 40);
    let token = service.api.with_token(&secret);

    let project = token.project().await;
    token
        .get(&format!("/api/v1/projects/{project}/tasks"))
        .await
        .expect(200);
    let refused = token.get("/api/v1/projects").await.expect(403);
    assert_eq!(refused.problem(), "scope-missing");
    assert!(refused.body["detail"].as_str().unwrap().contains("`projects:read`"));
    assert_eq!(
        token.post("/api/v1/tokens", new).await.expect(403).problem(),
        "session-required"
    );

    let listed = service.api.get("/api/v1/tokens").await.expect(200).body["items"].clone();
    assert_eq!(listed[0]["scopes"], json!(["projects:write", "tasks:read"]));
    assert!(!listed.to_string().contains(&secret));

    let path = format!("/api/v1/tokens/{}", made.id());
    let (_, stranger) = service.user("sam").await;
    stranger.delete(&path, "*").await.expect(404);
    service.api.delete(&path, "*").await.expect(204);
    token
        .get(&format!("/api/v1/projects/{project}/tasks"))
        .await
        .expect(401);
    service
        .api
        .with_token("tt_nothing")
        .get("/api/v1/projects")
        .await
        .expect(401);

    for bad in [
        json!({ "name": "ci", "scopes": [], "expires_in_days": 7 }),
        json!({ "name": "ci", "scopes": ["tasks:eat"], "expires_in_days": 7 }),
        json!({ "name": "ci", "scopes": ["tasks:read"], "expires_in_days": 0 }),
        json!({ "name": "ci", "scopes": ["tasks:read"], "expires_in_days": 366 }),
    ] {
        let reply = service.api.post("/api/v1/tokens", bad.clone()).await;
        assert!(reply.status == 422, "{bad}: {reply:?}");
    }
}

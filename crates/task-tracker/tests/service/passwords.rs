//! New passwords: which are refused, and what else ends with an old one.

use serde_json::json;

use crate::{
    accounts::{PASSWORD, register},
    api::Api,
    instance::start,
};

#[tokio::test]
async fn a_new_password_ends_api_tokens_when_that_is_wanted() {
    let service = start("").await;
    let bob = register(&service, "bob@example.com").await.expect(201);
    let mut session = service.api.with_session(bob.session());
    let token = async |api: &Api| {
        let new = json!({ "name": "ci", "scopes": ["projects:read"], "expires_in_days": 7 });
        let made = api.post("/api/v1/tokens", new).await.expect(201);
        service.api.with_token(made.body["token"].as_str().unwrap())
    };
    let (first, second) = (token(&session).await, token(&session).await);
    let others = token(&service.api).await;
    let mut current = PASSWORD;
    for (new, wish, status) in [
        ("another horse entirely", json!(null), 200),
        ("a third horse by now", json!(false), 200),
        ("and a fourth, at last", json!(true), 401),
    ] {
        let mut change = json!({ "current": current, "new": new });
        if !wish.is_null() {
            change["revoke_tokens"] = wish;
        }
        let renewed = session.post("/api/v1/me/password", change).await.expect(204);
        session = service.api.with_session(renewed.session());
        for token in [&first, &second] {
            token.get("/api/v1/projects").await.expect(status);
        }
        current = new;
    }
    others.get("/api/v1/projects").await.expect(200);
    let revoked: i64 = sqlx::query_scalar("select count(*) from events where action = 'token.revoked'")
        .fetch_one(&mut service.database.connect().await)
        .await
        .unwrap();
    assert_eq!(revoked, 2);
}

/// From the top of published lists of leaked passwords, by what our rule of length lets through; and what is made of them.
#[tokio::test]
async fn passwords_that_are_guessed_first_are_refused_with_a_way_out() {
    let service = start("").await;
    for password in [
        "qwertyuiop",
        "1234567890",
        "1q2w3e4r5t",
        "basketball",
        "mailcreated5240",
        "P@ssw0rd123",
        "Example.Person",
        "tasktracker",
    ] {
        let new = json!({ "email": "example.person@example.com", "name": "Example Person", "password": password });
        let refused = service.api.anonymous().post("/api/v1/accounts", new).await.expect(422);
        assert_eq!(refused.problem(), "rule", "{password}");
        let detail = refused.body["detail"].as_str().unwrap();
        assert!(detail.contains("several unrelated words"), "{detail}");
    }
    let registered = register(&service, "carol@example.com").await.expect(201);
    let carol = service.api.with_session(registered.session());
    let change = json!({ "current": PASSWORD, "new": "carol@example" });
    assert_eq!(
        carol.post("/api/v1/me/password", change).await.expect(422).problem(),
        "rule"
    );
    carol.get("/api/v1/me").await.expect(200);
}

//! New passwords: which are refused, and what else ends with an old one.

use std::process::Stdio;

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    accounts::{PASSWORD, register},
    api::{Api, Reply},
    command::{outcome, task_tracker},
    instance::{Instance, start},
    line::within,
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

/// What the operator is shown for this e-mail address.
async fn offer(service: &Instance, email: &str) -> (Option<i32>, String, String) {
    let mut command = task_tracker(&service.database.url());
    command
        .arg("reset-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    within(input.write_all(format!("{email}\n").as_bytes())).await.unwrap();
    drop(input);
    let output = within(child.wait_with_output()).await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim().to_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn redeem(service: &Instance, secret: &str, new: &str) -> Reply {
    let body = json!({ "secret": secret, "new": new });
    service.api.anonymous().post("/api/v1/password-reset", body).await
}

async fn login(service: &Instance, password: &str) -> Reply {
    let own = json!({ "email": "bob@example.com", "password": password });
    service.api.anonymous().post("/api/v1/session", own).await
}

#[tokio::test]
async fn whoever_forgot_their_password_gets_back_in_by_an_operator() {
    const NEW: &str = "another horse entirely";
    let service = start("").await;
    let bob = register(&service, "bob@example.com").await.expect(201);
    let session = service.api.with_session(bob.session());
    let (code, first, _) = offer(&service, "BOB@example.com").await;
    assert_eq!(code, Some(0));
    assert!(first.starts_with("ttr_") && first.len() > 40, "{first}");

    // Whoever has not used it is where they were.
    session.get("/api/v1/me").await.expect(200);
    login(&service, PASSWORD).await.expect(200);
    assert_eq!(
        redeem(&service, &first, "qwertyuiop").await.expect(422).problem(),
        "rule"
    );
    redeem(&service, "ttr_nothing", NEW).await.expect(403);
    // A second one takes the place of the first.
    let by_id = outcome(task_tracker(&service.database.url()).args(["reset-password", &bob.id()])).await;
    let (code, second) = (by_id.0, by_id.1.trim().to_owned());
    assert_eq!(code, Some(0));
    redeem(&service, &first, NEW).await.expect(403);

    redeem(&service, &second, NEW).await.expect(204);
    session.get("/api/v1/me").await.expect(401);
    service.api.get("/api/v1/me").await.expect(200);
    login(&service, PASSWORD).await.expect(401);
    login(&service, NEW).await.expect(200);
    redeem(&service, &second, "a third horse by now").await.expect(403);
    login(&service, NEW).await.expect(200);

    let mut connection = service.database.connect().await;
    let recorded: Vec<String> = sqlx::query_scalar(
        "select action from events where target_id = $1 and action like 'account.password%' order by id",
    )
    .bind(bob.id().parse::<uuid::Uuid>().unwrap())
    .fetch_all(&mut connection)
    .await
    .unwrap();
    assert_eq!(
        recorded,
        [
            "account.password_reset_offered",
            "account.password_reset_offered",
            "account.password_reset"
        ]
    );
}

#[tokio::test]
async fn a_secret_for_a_new_password_does_not_last_and_is_for_nobody_who_leaves() {
    let service = start("").await;
    register(&service, "bob@example.com").await.expect(201);
    let (_, secret, _) = offer(&service, "bob@example.com").await;
    let mut connection = service.database.connect().await;
    for (sql, back) in [
        (
            "update password_resets set expires_at = now() - interval '1 second'",
            "update password_resets set expires_at = now() + interval '1 minute'",
        ),
        (
            "update users set erase_after = now() + interval '30 days'",
            "update users set erase_after = null",
        ),
    ] {
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        redeem(&service, &secret, "another horse entirely").await.expect(403);
        sqlx::raw_sql(back).execute(&mut connection).await.unwrap();
    }
    redeem(&service, &secret, "another horse entirely").await.expect(204);
    for nobody in ["carol@example.com", "nonsense", ""] {
        let (code, out, error) = offer(&service, nobody).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{nobody}");
        assert_eq!(error, "task-tracker: there is no such user", "{nobody}");
    }
}

//! An erasure that is taken back.

use serde_json::{Value, json};

use crate::{
    api::Reply,
    erasure::{leave, the_time_has_come},
    instance::{Instance, start},
    personal::{PASSWORD, register},
};

async fn restore(service: &Instance, email: &str, password: &str) -> Reply {
    let login = json!({ "email": email, "password": password });
    service.api.anonymous().post("/api/v1/accounts/restore", login).await
}

#[tokio::test]
async fn an_erasure_is_taken_back_with_the_password_until_its_time_has_come() {
    let service = start("").await;
    let (id, bob) = register(&service, "bob@example.com").await;
    let project = bob.project().await;
    let refused = restore(&service, "bob@example.com", PASSWORD).await.expect(409);
    assert_eq!(refused.problem(), "conflict");
    leave(&bob).await;

    let unknown = restore(&service, "nobody@example.com", PASSWORD).await.expect(401);
    let wrong = restore(&service, "bob@example.com", "wrong horse battery")
        .await
        .expect(401);
    assert_eq!((wrong.problem(), &wrong.body), ("wrong-credentials", &unknown.body));
    let login = json!({ "email": "bob@example.com", "password": PASSWORD });
    service
        .api
        .anonymous()
        .post("/api/v1/session", login.clone())
        .await
        .expect(401);

    let kept = restore(&service, "bob@example.com", PASSWORD).await.expect(200);
    assert_eq!((kept.id(), kept.header("etag")), (id.clone(), "\"3\""));
    let again = service.api.with_session(kept.session());
    again.get(&format!("/api/v1/projects/{project}")).await.expect(200);
    bob.get("/api/v1/me").await.expect(401);
    service.api.anonymous().post("/api/v1/session", login).await.expect(200);
    let done = again.get("/api/v1/me/export").await.expect(200).body;
    let done: Vec<&Value> = done["activity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["action"])
        .collect();
    for action in ["account.leaving", "account.restored"] {
        assert!(done.contains(&&json!(action)), "{done:?}");
    }
    restore(&service, "bob@example.com", PASSWORD).await.expect(409);

    leave(&again).await;
    let mut connection = service.database.connect().await;
    the_time_has_come(&mut connection).await;
    let late = restore(&service, "bob@example.com", PASSWORD).await.expect(401);
    assert_eq!(late.body, unknown.body);
}

#[tokio::test]
async fn the_session_that_an_erasure_is_taken_back_with_ends_as_with_a_login() {
    let service = start("").await;
    let (_, bob) = register(&service, "bob@example.com").await;
    leave(&bob).await;
    let login = json!({ "email": "bob@example.com", "password": PASSWORD });
    let kept = service.api.post("/api/v1/accounts/restore", login).await.expect(200);
    service.api.get("/api/v1/me").await.expect(401);
    service
        .api
        .with_session(kept.session())
        .get("/api/v1/me")
        .await
        .expect(200);
}

/// It is another door to the same password, so there are not more guesses at both than at one.
#[tokio::test]
async fn guesses_at_who_is_leaving_count_as_guesses_at_a_login() {
    let service = start("").await;
    let (_, bob) = register(&service, "bob@example.com").await;
    leave(&bob).await;
    for _ in 0..5 {
        restore(&service, "bob@example.com", "wrong horse battery")
            .await
            .expect(401);
        let login = json!({ "email": "bob@example.com", "password": "wrong horse battery" });
        service.api.anonymous().post("/api/v1/session", login).await.expect(401);
    }
    let refused = restore(&service, "bob@example.com", PASSWORD).await.expect(429);
    assert!(refused.header("ratelimit").starts_with("\"logins\";r=0;"));
}

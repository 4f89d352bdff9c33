//! What is logged, at whatever level and by whatever the service is made of: who somebody is, and what they prove it with, is not.

use std::collections::BTreeMap;

use axum::body::Body;
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    api::Api,
    cluster,
    command::{Running, serving_and_logging, task_tracker},
    instance::WEBHOOK_KEYS,
    line::{Line, until},
    receiver::{self, Receiver},
    store::{self, Store},
};

/// Everything that there is, and by name what might be held back by a rule for its whole crate.
const ALL: &str = "trace,hyper=trace,hyper::proto=trace,hyper_util=trace,h2=trace,reqwest=trace,tower=trace,rustls=trace,\
                   sqlx=trace,sqlx::query=trace,sqlx::postgres=trace,tokio_postgres=trace,tokio_postgres::query=trace,\
                   tokio_postgres::prepare=trace,aws_config=trace,aws_sigv4=trace,aws_runtime=trace,aws_smithy_runtime=trace,\
                   aws_smithy_runtime_api=trace,aws_smithy_http_client=trace,aws_sdk_secretsmanager=trace";

/// In everything that the users of this test keep to themselves.
const HIDDEN: &str = "hidden";
const PASSWORD: &str = "hidden horse battery";

/// What the service made up for somebody and nobody else is to know, by what it is.
type Handed = BTreeMap<&'static str, String>;

#[tokio::test]
async fn no_secret_and_no_address_is_in_any_line_of_the_log() {
    let database = cluster::migrated().await;
    let (store, receiver) = (store::start().await, receiver::start().await);
    let running = served(&database.url(), &store).await;
    let api = Api::at(running.address);
    let mut handed = Handed::new();
    let ann = be_somebody(&api, &mut handed).await;
    let project = ann.project().await;
    invite(&ann, &api, &project, &mut handed).await;
    watch(&ann, &project, &receiver, &mut handed).await;
    attach(&ann, &project, &mut handed).await;
    repeat(&ann, &project).await;
    be_refused(&ann, &api, &running).await;

    let log = running.end().await;
    for word in ["/api/v1/session", "hyper", "sqlx", "aws_"] {
        assert!(log.contains(word), "the log has {word}");
    }
    handed.insert("what all begins with", HIDDEN.into());
    handed.insert("the hash of a password", "argon2id".into());
    handed.insert("the keys of webhooks", WEBHOOK_KEYS.into());
    for (what, secret) in handed {
        assert!(secret.len() >= 6, "{what} is a secret");
        if let Some(place) = log.find(&secret) {
            let line = &log[place.saturating_sub(300)..(place + 100).min(log.len())];
            panic!("{what} is in the log: {line}");
        }
    }
}

/// With its secrets where a platform keeps them.
async fn served(url: &str, store: &Store) -> Running {
    let secrets = store.secrets();
    let login = url.replace("postgres@", "postgres:hidden-login@");
    let login = secrets.create_secret().name("tasks/login").secret_string(login);
    let keys = secrets.create_secret().name("tasks/keys").secret_string(WEBHOOK_KEYS);
    let (login, keys) = (
        login.send().await.unwrap().arn.unwrap(),
        keys.send().await.unwrap().arn.unwrap(),
    );
    let mut command = task_tracker("");
    command.envs([
        ("DATABASE_SECRET_ARN", login.as_str()),
        ("WEBHOOK_KEYS_SECRET_ARN", keys.as_str()),
        ("AWS_ENDPOINT_URL", store.endpoint.as_str()),
        ("AWS_ACCESS_KEY_ID", "sandbox"),
        ("AWS_SECRET_ACCESS_KEY", "sandbox"),
        ("WEBHOOK_ALLOW", "127.0.0.1"),
        ("ATTACHMENTS_BUCKET", "files"),
    ]);
    serving_and_logging(command, ALL).await
}

/// Registers, logs in rightly and wrongly, and makes a token.
async fn be_somebody(api: &Api, handed: &mut Handed) -> Api {
    let new = json!({ "email": "hidden@example.com", "name": "Hidden Ann", "password": PASSWORD });
    let registered = api.post("/api/v1/accounts", new.clone()).await.expect(201);
    let ann = api.with_session(registered.session());
    handed.insert("the first session", registered.session().into());
    api.post("/api/v1/accounts", new).await.expect(409);
    for (password, status) in [(PASSWORD, 200), ("hidden horse artillery", 401)] {
        let login = json!({ "email": "hidden@example.com", "password": password });
        let answered = api.post("/api/v1/session", login).await.expect(status);
        if status == 200 {
            handed.insert("the second session", answered.session().into());
        }
    }
    let wanted = json!({ "name": "hidden ci", "scopes": ["tasks:read"], "expires_in_days": 1 });
    let made = ann.post("/api/v1/tokens", wanted).await.expect(201);
    let token = text(&made.body["token"]);
    api.with_token(&token).get("/api/v1/projects").await.expect(403);
    handed.insert("the token", token);
    ann
}

async fn invite(ann: &Api, api: &Api, project: &str, handed: &mut Handed) {
    let path = format!("/api/v1/projects/{project}/invitations");
    let accept = "/api/v1/invitations/accept";
    let invited = ann.post(&path, json!({ "role": "viewer" })).await.expect(201);
    let token = text(&invited.body["token"]);
    let new = json!({ "email": "hidden.too@example.com", "name": "Bob", "password": PASSWORD });
    let bob = api.post("/api/v1/accounts", new).await.expect(201);
    let bob = api.with_session(bob.session());
    bob.post(accept, json!({ "token": token })).await.expect(200);
    bob.post(accept, json!({ "token": token })).await.expect(404);
    bob.post(accept, json!({ "token": "hidden-token" })).await.expect(404);
    handed.insert("the invitation", token);
}

/// One webhook that is delivered, and one that nobody is there for.
async fn watch(ann: &Api, project: &str, receiver: &Receiver, handed: &mut Handed) {
    let path = format!("/api/v1/projects/{project}/webhooks");
    for address in [receiver.address.to_string(), "127.0.0.1:9".into()] {
        let url = format!("http://{address}/hidden-path?key=hidden-key");
        let made = ann.post(&path, json!({ "url": url })).await.expect(201);
        handed.insert("the secret of a webhook", text(&made.body["secret"]));
        let place = made.header("location").to_owned();
        let rotated = ann.post(&format!("{place}/secret"), json!({})).await.expect(200);
        handed.insert("its next secret", text(&rotated.body["secret"]));
    }
    ann.task(project, "hidden task").await;
    receiver.have(1).await;
    until("nobody is there for the other one", async || {
        let hooks = ann.get(&path).await.expect(200).body;
        hooks["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|hook| !hook["failing_since"].is_null())
    })
    .await;
    for bad in [
        "ftp://hidden.example.com/",
        "http://hidden-user:hidden-word@127.0.0.1/",
        "http://10.0.0.1/hidden",
    ] {
        ann.post(&path, json!({ "url": bad })).await.expect(422);
    }
}

async fn attach(ann: &Api, project: &str, handed: &mut Handed) {
    let task = ann.task(project, "dig").await;
    let path = format!("/api/v1/tasks/{task}/attachments");
    let new = json!({ "name": "hidden.txt", "content_type": "text/plain", "size": 5 });
    let announced = ann.post(&path, new).await.expect(201);
    handed.insert("where to upload", signature(&announced.body["upload"]));
    assert_eq!(store::put(&announced.body["upload"], b"hello").await.status, 200);
    let place = announced.header("location").to_owned();
    ann.post(&format!("{place}/completion"), json!({})).await.expect(200);
    let found = ann.get(&place).await.expect(200);
    handed.insert("where to download", signature(&found.body["download"]));
    ann.delete(&place, "*").await.expect(204);
}

/// What makes a signed URL worth something.
fn signature(part: &Value) -> String {
    let url = text(&part["url"]);
    let (_, signature) = url.split_once("X-Amz-Signature=").unwrap();
    signature.split('&').next().unwrap().to_owned()
}

/// A key is the client's own, and may be made from what is nobody's business.
async fn repeat(ann: &Api, project: &str) {
    let path = format!("/api/v1/projects/{project}/tasks");
    for _ in 0..2 {
        ann.keyed(Method::POST, &path, "hidden-order-4711", &json!({ "title": "sow" }))
            .await
            .expect(201);
    }
    ann.keyed(Method::POST, &path, "hidden-order-4711", &json!({ "title": "rake" }))
        .await
        .expect(422);
    ann.get(&format!("{path}?q=hidden")).await.expect(200);
}

/// Bodies, paths and heads that are turned away, with something in them that was meant for the service only.
async fn be_refused(ann: &Api, api: &Api, running: &Running) {
    for (path, body) in [
        (
            "/api/v1/accounts",
            json!({ "email": "hidden", "name": "Ann", "password": PASSWORD }),
        ),
        (
            "/api/v1/accounts",
            json!({ "email": "hidden3@example.com", "name": "Ann", "password": "hidden" }),
        ),
        (
            "/api/v1/accounts",
            json!({ "email": "hidden3@example.com", "name": "Ann", "password": { "hidden": 1 } }),
        ),
        (
            "/api/v1/accounts",
            json!({ "email": "hidden3@example.com", "password": PASSWORD, "hidden": "hidden" }),
        ),
        (
            "/api/v1/session",
            json!({ "email": ["hidden@example.com"], "password": PASSWORD }),
        ),
        ("/api/v1/session", json!("hidden horse battery")),
        (
            "/api/v1/me/password",
            json!({ "current": "hidden word", "new": "hidden" }),
        ),
    ] {
        let refused = ann.post(path, body).await;
        assert!(refused.status.is_client_error(), "{path}: {refused:?}");
    }
    let wrong = json!({ "current": "hidden wrong horse", "new": PASSWORD });
    ann.post("/api/v1/me/password", wrong).await.expect(403);
    ann.post("/api/v1/me/erasure", json!({ "password": "hidden wrong horse" }))
        .await
        .expect(403);
    for broken in [
        "{\"email\":\"hidden@example.com\",\"password\":\"hidden horse",
        "\u{0}hidden",
        "hidden=1&password=hidden",
    ] {
        let request = api
            .request(Method::POST, "/api/v1/session")
            .header("content-type", "application/json");
        let refused = api.send(request.body(Body::from(broken)).unwrap()).await;
        assert!(refused.status.is_client_error(), "{refused:?}");
    }
    api.with_token("tt_hidden").get("/api/v1/projects").await.expect(401);
    api.with_session("hidden").get("/api/v1/projects").await.expect(401);
    api.get("/api/v1/hidden?token=hidden").await.expect(404);
    let mut line = Line::to(running.address).await;
    line.say(
        "POST /api/v1/session HTTP/1.1\r\nhost: test\r\nauthorization: Bearer tt_hidden\r\nbad header: hidden\r\n\r\n",
    )
    .await;
    assert!(line.rest().await.starts_with("HTTP/1.1 400"));
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

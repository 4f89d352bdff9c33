//! Webhooks: who is told of what, by what signature, how often, and where messages cannot be sent.

use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    api::Api,
    authority::{Authority, Flaw},
    command::{outcome, task_tracker},
    instance::{self, Instance},
    line::until,
    receiver::{self, Answer, Receiver},
};

const ALLOW: &str = "--webhook-allow 127.0.0.1";

/// A project with a webhook that leads to the receiver.
struct Hook {
    project: String,
    /// Of the webhook.
    path: String,
    secret: String,
}

async fn hook(api: &Api, receiver: &Receiver, actions: Value) -> Hook {
    let project = api.project().await;
    let new = json!({ "url": receiver.url(), "actions": actions });
    let made = api
        .post(&format!("/api/v1/projects/{project}/webhooks"), new)
        .await
        .expect(201);
    Hook {
        project,
        path: made.header("location").to_owned(),
        secret: made.body["secret"].as_str().unwrap().to_owned(),
    }
}

async fn begun() -> (Instance, Receiver, Hook) {
    let service = instance::start(ALLOW).await;
    let receiver = receiver::start().await;
    let hook = hook(&service.api, &receiver, json!([])).await;
    (service, receiver, hook)
}

async fn deliveries(api: &Api, hook: &Hook) -> Vec<Value> {
    let listed = api.get(&format!("{}/deliveries", hook.path)).await.expect(200);
    listed.body["items"].as_array().unwrap().clone()
}

/// Waits until the latest delivery is as the question wants it.
async fn settled(api: &Api, hook: &Hook, question: impl Fn(&Value) -> bool) -> Value {
    until("the delivery is settled", async || {
        deliveries(api, hook).await.first().is_some_and(&question)
    })
    .await;
    deliveries(api, hook).await.remove(0)
}

/// As if its time had come.
async fn hurry(connection: &mut PgConnection) {
    sqlx::raw_sql(
        "update webhooks set not_before = null; update webhook_deliveries set next_at = now() where lease is null",
    )
    .execute(connection)
    .await
    .unwrap();
}

#[tokio::test]
async fn what_happens_is_told_once_signed_and_only_to_whom_it_concerns() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    let elsewhere = api.project().await;
    api.task(&elsewhere, "not of this project").await;
    let task = api.task(&hook.project, "dig").await;
    let messages = receiver.have(1).await;
    let message = &messages[0];
    let body = message.json();
    assert_eq!(
        (&body["type"], &body["data"]["action"]),
        (&json!("task.created"), &json!("task.created"))
    );
    assert_eq!(body["timestamp"], body["data"]["at"]);
    assert_eq!(body["data"]["target_id"], json!(task));
    assert_eq!(body["data"]["after"]["title"], "dig");
    assert!(message.is_signed_by(&hook.secret), "{message:?}");
    assert_eq!(message.header("content-type"), "application/json");
    let delivery = settled(api, &hook, |one| one["state"] == "delivered").await;
    assert_eq!(delivery["id"], json!(message.header("webhook-id")));
    assert_eq!(
        (&delivery["attempts"], &delivery["last_status"]),
        (&json!(1), &json!(204))
    );
    assert_eq!(delivery["next_attempt_at"], Value::Null);
    assert_eq!(receiver.messages().len(), 1);
}

#[tokio::test]
async fn a_webhook_hears_of_what_it_wants_to_and_never_of_webhooks() {
    let service = instance::start(ALLOW).await;
    let receiver = receiver::start().await;
    let hook = hook(&service.api, &receiver, json!(["comment.*", "task.deleted"])).await;
    let api = &service.api;
    let task = api.task(&hook.project, "dig").await;
    let path = format!("/api/v1/tasks/{task}");
    api.post(&format!("{path}/comments"), json!({ "body": "Where?" }))
        .await
        .expect(201);
    api.patch(&hook.path, "*", json!({ "actions": ["comment.*", "task.*"] }))
        .await
        .expect(200);
    api.delete(&path, "*").await.expect(204);
    let messages = receiver.have(2).await;
    let mut types: Vec<Value> = messages.iter().map(|message| message.json()["type"].clone()).collect();
    types.sort_by_key(Value::to_string);
    assert_eq!(types, ["comment.created", "task.deleted"]);
    for actions in [json!(["task"]), json!(["*"]), json!(vec!["a.b"; 51]), json!("task.*")] {
        api.patch(&hook.path, "*", json!({ "actions": actions }))
            .await
            .expect(422);
    }
}

/// Members read the activity; the address of a webhook is for owners.
#[tokio::test]
async fn neither_secret_nor_address_is_in_the_trail_and_the_secret_is_shown_once() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    api.patch(&hook.path, "*", json!({ "url": format!("{}/other", receiver.url()) }))
        .await
        .expect(200);
    api.delete(&hook.path, "*").await.expect(204);
    let activity = api
        .get(&format!("/api/v1/projects/{}/activity", hook.project))
        .await
        .expect(200)
        .body
        .to_string();
    assert!(
        activity.contains("webhook.created") && activity.contains("webhook.deleted"),
        "{activity}"
    );
    assert!(
        !activity.contains("http://") && !activity.contains("whsec_"),
        "{activity}"
    );

    let path = format!("/api/v1/projects/{}/webhooks", hook.project);
    let keyed = async || {
        let request = api
            .request(hyper::Method::POST, &path)
            .header("content-type", "application/json")
            .header("idempotency-key", "a");
        let body = json!({ "url": receiver.url() }).to_string();
        api.send(request.body(body.into()).unwrap()).await.expect(201)
    };
    let (first, again) = (keyed().await, keyed().await);
    assert_eq!(first.id(), again.id());
    assert!(first.body["secret"].is_string() && again.body["secret"].is_null());
    let shown = api.get(first.header("location")).await.expect(200);
    assert_eq!(
        (shown.body.get("secret"), &shown.body["url"]),
        (None, &json!(receiver.url()))
    );
    let kept: bool = sqlx::query_scalar("select exists (select from webhooks where secret = $1)")
        .bind(first.body["secret"].as_str().unwrap().as_bytes())
        .fetch_one(&mut service.database.connect().await)
        .await
        .unwrap();
    assert!(!kept);
}

#[tokio::test]
async fn a_new_secret_and_the_one_before_both_sign_for_a_day() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    let rotated = api.post(&format!("{}/secret", hook.path), json!({})).await.expect(200);
    let new = rotated.body["secret"].as_str().unwrap().to_owned();
    assert!(rotated.body["previous_secret_until"].is_string());
    api.task(&hook.project, "dig").await;
    let messages = receiver.have(1).await;
    assert!(messages[0].is_signed_by(&new) && messages[0].is_signed_by(&hook.secret));

    sqlx::raw_sql("update webhooks set previous_secret_until = now() - interval '1 second'")
        .execute(&mut service.database.connect().await)
        .await
        .unwrap();
    api.task(&hook.project, "rake").await;
    let messages = receiver.have(2).await;
    assert!(messages[1].is_signed_by(&new) && !messages[1].is_signed_by(&hook.secret));
}

#[tokio::test]
async fn what_was_not_taken_is_sent_again_and_in_the_end_given_up_until_somebody_asks() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    let mut connection = service.database.connect().await;
    receiver.answer(Answer::Status(500));
    api.task(&hook.project, "dig").await;
    let first = settled(api, &hook, |one| one["last_status"] == 500).await;
    assert_eq!(
        (&first["state"], &first["attempts"], &first["last_error"]),
        (&json!("pending"), &json!(1), &json!("answered 500"))
    );
    assert!(first["next_attempt_at"].is_string());
    assert!(api.get(&hook.path).await.expect(200).body["failing_since"].is_string());

    sqlx::raw_sql("update webhook_deliveries set attempts = 9")
        .execute(&mut connection)
        .await
        .unwrap();
    hurry(&mut connection).await;
    let dead = settled(api, &hook, |one| one["state"] == "dead").await;
    assert_eq!(
        (&dead["attempts"], &dead["next_attempt_at"]),
        (&json!(10), &Value::Null)
    );
    hurry(&mut connection).await;

    receiver.answer(Answer::Status(200));
    let id = dead["id"].as_str().unwrap();
    let again = api
        .post(&format!("{}/deliveries/{id}/redelivery", hook.path), json!({}))
        .await
        .expect(202);
    assert_eq!(again.body["state"], "pending");
    let delivered = settled(api, &hook, |one| one["state"] == "delivered").await;
    assert_eq!(delivered["attempts"], 1);
    let ids: Vec<_> = receiver
        .messages()
        .iter()
        .map(|one| one.header("webhook-id").to_owned())
        .collect();
    assert_eq!(ids, vec![id; 3], "one id for all attempts");
    assert_eq!(api.get(&hook.path).await.expect(200).body["failing_since"], Value::Null);
}

#[tokio::test]
async fn a_receiver_that_fails_for_days_or_asks_for_it_is_left_alone_and_the_owner_sees_why() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    let mut connection = service.database.connect().await;
    receiver.answer(Answer::Status(503));
    api.task(&hook.project, "dig").await;
    settled(api, &hook, |one| one["last_status"] == 503).await;
    sqlx::raw_sql("update webhooks set failing_since = now() - interval '73 hours'")
        .execute(&mut connection)
        .await
        .unwrap();
    hurry(&mut connection).await;
    until("it is disabled", async || {
        api.get(&hook.path).await.expect(200).body["state"] == "disabled"
    })
    .await;
    let disabled = api.get(&hook.path).await.expect(200).body;
    assert_eq!(
        disabled["reason"],
        "no message was taken for three days; the last time: answered 503"
    );
    let activity = api
        .get(&format!("/api/v1/projects/{}/activity", hook.project))
        .await
        .expect(200)
        .body;
    assert_eq!(activity["items"][0]["action"], "webhook.disabled");
    // Nothing is kept for it, and nobody can have it tried.
    api.task(&hook.project, "rake").await;
    assert_eq!(deliveries(api, &hook).await.len(), 1);
    api.post(&format!("{}/ping", hook.path), json!({})).await.expect(409);

    receiver.answer(Answer::Status(410));
    let active = api
        .patch(&hook.path, "*", json!({ "state": "active" }))
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&active["reason"], &active["failing_since"]),
        (&Value::Null, &Value::Null)
    );
    hurry(&mut connection).await;
    until("it is disabled again", async || {
        api.get(&hook.path).await.expect(200).body["state"] == "disabled"
    })
    .await;
    let gone = api.get(&hook.path).await.expect(200).body;
    assert!(gone["reason"].as_str().unwrap().contains("410"), "{gone}");
    assert_eq!(deliveries(api, &hook).await[0]["state"], "dead");
}

#[tokio::test]
async fn no_redirect_is_followed_and_no_answer_is_read_to_its_end() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    receiver.answer(Answer::Redirect);
    api.task(&hook.project, "dig").await;
    let refused = settled(api, &hook, |one| one["last_status"] == 307).await;
    assert_eq!(refused["last_error"], "answered 307; redirects are not followed");
    receiver.answer(Answer::Endless);
    hurry(&mut service.database.connect().await).await;
    settled(api, &hook, |one| one["state"] == "delivered").await;
    assert!(receiver.messages().iter().all(|message| message.path == "/hook"));
}

#[tokio::test]
async fn a_test_message_can_be_sent_one_at_a_time() {
    let (service, receiver, hook) = begun().await;
    let api = &service.api;
    let sent = api.post(&format!("{}/ping", hook.path), json!({})).await.expect(202);
    assert_eq!(sent.body["action"], "ping");
    let messages = receiver.have(1).await;
    assert_eq!(messages[0].json()["type"], "ping");
    settled(api, &hook, |one| one["state"] == "delivered").await;
    receiver.answer(Answer::Status(500));
    api.post(&format!("{}/ping", hook.path), json!({})).await.expect(202);
    api.post(&format!("{}/ping", hook.path), json!({})).await.expect(409);
}

#[tokio::test]
async fn no_address_that_is_not_public_is_accepted_or_sent_to() {
    let service = instance::start("").await;
    let api = &service.api;
    let project = api.project().await;
    let path = format!("/api/v1/projects/{project}/webhooks");
    for url in [
        "http://8.8.8.8/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://2130706433/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00:ec2::254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://100.64.0.1/",
        "https://user:password@8.8.8.8/",
        "file:///etc/passwd",
        "gopher://8.8.8.8/",
        "not a url",
    ] {
        let refused = api.post(&path, json!({ "url": url })).await.expect(422);
        assert_eq!(refused.problem(), "rule", "{url}");
    }
    let made = api
        .post(&path, json!({ "url": "https://8.8.8.8/hook" }))
        .await
        .expect(201);
    let hook = Hook {
        project,
        path: made.header("location").to_owned(),
        secret: String::new(),
    };
    api.patch(&hook.path, "*", json!({ "url": "https://10.0.0.1/" }))
        .await
        .expect(422);
    // The name led somewhere else when it was saved.
    let receiver = receiver::start().await;
    sqlx::query("update webhooks set url = $1")
        .bind(receiver.url())
        .execute(&mut service.database.connect().await)
        .await
        .unwrap();
    api.task(&hook.project, "dig").await;
    let refused = settled(api, &hook, |one| !one["last_error"].is_null()).await;
    assert_eq!(refused["last_error"], "the URL does not lead to a public address");
    assert!(receiver.messages().is_empty());
}

/// Two processes, as during a deploy, and a third that died with messages in its hands.
#[tokio::test]
async fn of_many_processes_one_sends_each_message_and_a_dead_one_s_are_taken_over() {
    let (service, receiver, hook) = begun().await;
    let url = service.database.parsed_url();
    let other = instance::another_on(&url, ALLOW).await;
    let mut connection = service.database.connect().await;
    for number in 0..40 {
        service.api.task(&hook.project, &format!("task {number}")).await;
    }
    let messages = receiver.have(40).await;
    until("all are settled", async || {
        let open: i64 = sqlx::query_scalar("select count(*) from webhook_deliveries where state <> 'delivered'")
            .fetch_one(&mut service.database.connect().await)
            .await
            .unwrap();
        open == 0
    })
    .await;
    assert_eq!(receiver.messages().len(), 40, "each once");
    let mut ids: Vec<&str> = messages.iter().map(|message| message.header("webhook-id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40);

    // Taken, and never heard of again; when the lease is over, somebody else takes it.
    sqlx::raw_sql(
        "insert into webhook_deliveries (id, webhook_id, action, attempts, lease, next_at)
         select gen_random_uuid(), id, 'ping', 1, gen_random_uuid(), now() + interval '2 seconds' from webhooks",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    assert_eq!(receiver.messages().len(), 40);
    let taken_over = &receiver.have(41).await[40];
    assert_eq!(taken_over.json()["type"], "ping");
    let last = settled(&service.api, &hook, |one| one["state"] == "delivered").await;
    assert_eq!(last["attempts"], 2);
    other.lifecycle.interrupt();
    assert_eq!(other.ended().await, Ok(()));
}

/// A change must not wait for, or fail by, somebody who deletes or changes the webhook at that moment.
#[tokio::test]
async fn a_webhook_that_is_being_deleted_holds_up_nobody() {
    let (service, receiver, hook) = begun().await;
    let mut other = service.database.connect().await;
    sqlx::raw_sql("begin; delete from webhooks")
        .execute(&mut other)
        .await
        .unwrap();
    service.api.task(&hook.project, "dig").await;
    sqlx::raw_sql("commit").execute(&mut other).await.unwrap();
    service.api.get(&hook.path).await.expect(404);
    assert!(receiver.messages().is_empty());
    // And a project goes with all that belongs to it.
    let project = format!("/api/v1/projects/{}", hook.project);
    let new = json!({ "url": receiver.url() });
    service.api.post(&format!("{project}/webhooks"), new).await.expect(201);
    service.api.delete(&project, "*").await.expect(204);
}

#[tokio::test]
async fn without_a_key_there_are_no_webhooks_and_the_answer_says_so() {
    let mut settings = instance::settings("");
    settings.secrets = task_tracker::Secrets::default();
    let service = instance::start_with(settings).await;
    let project = service.api.project().await;
    for path in [
        format!("/api/v1/projects/{project}/webhooks"),
        format!("/api/v1/webhooks/{project}"),
    ] {
        let reply = service.api.get(&path).await.expect(404);
        assert_eq!(reply.problem(), "not-offered");
        assert!(reply.body["detail"].as_str().unwrap().contains("WEBHOOK_KEYS"));
    }
}

/// By a chain of certificates as receivers have them, with a root that an operator named.
#[tokio::test]
async fn a_receiver_is_believed_by_its_certificate_only() {
    let authority = Authority::new();
    let service = instance::start(&format!("{ALLOW} {}", authority.flags())).await;
    let api = &service.api;
    for (flaw, expected) in [
        (Flaw::None, None),
        (Flaw::Expired, Some("the receiver's certificate has expired")),
        (Flaw::Elsewhere, Some("the receiver's certificate is for another name")),
        (
            Flaw::Alone,
            Some("the receiver's certificate leads to no known authority; does the receiver send those in between?"),
        ),
    ] {
        let receiver = receiver::start_sealed(authority.vouches(flaw)).await;
        let hook = hook(api, &receiver, json!([])).await;
        api.task(&hook.project, "dig").await;
        let delivery = settled(api, &hook, |one| {
            one["attempts"] == 1 && one["last_attempt_at"].is_string()
        })
        .await;
        assert_eq!(delivery["last_error"].as_str(), expected, "{delivery}");
        let (state, messages) = if expected.is_some() {
            ("pending", 0)
        } else {
            ("delivered", 1)
        };
        assert_eq!(
            (&delivery["state"], receiver.messages().len()),
            (&json!(state), messages),
            "{delivery}"
        );
        assert!(
            receiver
                .messages()
                .iter()
                .all(|message| message.is_signed_by(&hook.secret))
        );
    }
    // Without the operator's file nobody knows that root.
    let other = instance::start(ALLOW).await;
    let receiver = receiver::start_sealed(authority.vouches(Flaw::None)).await;
    let hook = hook(&other.api, &receiver, json!([])).await;
    other.api.task(&hook.project, "dig").await;
    let delivery = settled(&other.api, &hook, |one| one["last_error"].is_string()).await;
    assert!(
        delivery["last_error"].as_str().unwrap().contains("no known authority"),
        "{delivery}"
    );
}

#[tokio::test]
async fn a_file_without_authorities_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, "nothing of the kind").unwrap();
    for (path, expected) in [
        (file.to_str().unwrap(), "there is no certificate in it; give a file"),
        ("/no/such/file", "give a file with one or more certificates in PEM"),
    ] {
        let mut command = task_tracker("postgres://postgres@127.0.0.1:1/tasks");
        command.arg("serve").env("WEBHOOK_AUTHORITIES", path);
        let (code, _, error) = outcome(&mut command).await;
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

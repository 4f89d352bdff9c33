//! Attachments: from the announcement to the object's end, on an S3 that checks what was signed.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{
    api::{Api, Reply},
    following::Stream,
    instance::{self, Instance},
    line::until,
    receiver,
    store::{self, FORBIDDEN, Store, get, put, put_as},
};

async fn begun() -> (Instance, Store, String) {
    let store = store::start().await;
    let service = instance::start(&store.flags()).await;
    let project = service.api.project().await;
    let task = service.api.task(&project, "dig").await;
    (service, store, format!("/api/v1/tasks/{task}/attachments"))
}

async fn announce(api: &Api, path: &str, name: &str) -> Reply {
    let new = json!({ "name": name, "content_type": "text/plain", "size": 5 });
    api.post(path, new).await.expect(201)
}

/// Announced, uploaded and confirmed.
async fn stored(api: &Api, path: &str) -> String {
    let announced = announce(api, path, "plan.txt").await;
    assert_eq!(put(&announced.body["upload"], b"hello").await.status, 200);
    let place = announced.header("location").to_owned();
    api.post(&format!("{place}/completion"), json!({})).await.expect(200);
    place
}

#[tokio::test]
async fn a_file_is_announced_uploaded_confirmed_and_fetched() {
    let (service, _store, path) = begun().await;
    let api = &service.api;
    let announced = announce(api, &path, "../../Grün \"plan\".txt").await;
    assert_eq!(announced.body["name"], "Grün _plan_.txt");
    let place = announced.header("location").to_owned();
    let confirm = format!("{place}/completion");
    assert_eq!(api.post(&confirm, json!({})).await.expect(409).problem(), "conflict");
    // Not there for anybody before it is confirmed, but for who announced it to take it back.
    assert_eq!(api.get(&path).await.expect(200).body["items"], json!([]));
    api.get(&place).await.expect(404);

    let uploaded = put(&announced.body["upload"], b"hello").await;
    assert_eq!(uploaded.status, 200, "{uploaded:?}");
    let confirmed = api.post(&confirm, json!({})).await.expect(200);
    assert!(confirmed.body["stored_at"].is_string());
    assert_eq!(api.post(&confirm, json!({})).await.expect(200).body, confirmed.body);
    assert_eq!(api.get(&path).await.expect(200).body["items"][0]["size"], 5);

    let found = api.get(&place).await.expect(200);
    let file = get(found.body["download"]["url"].as_str().unwrap()).await;
    assert_eq!((file.status.as_u16(), &file.body[..]), (200, &b"hello"[..]));
    assert_eq!(
        file.headers["content-disposition"],
        "attachment; filename=\"Gr_n _plan_.txt\"; filename*=UTF-8''Gr%C3%BCn%20_plan_.txt"
    );
    assert_eq!(file.headers["content-type"], "text/plain");
    let activity = api.get("/api/v1/me/export").await.expect(200).body;
    assert_eq!(activity["attachments"][0]["name"], "Grün _plan_.txt");
}

#[tokio::test]
async fn the_bucket_takes_what_was_announced_once_and_nothing_else() {
    let (service, _store, path) = begun().await;
    let announced = announce(&service.api, &path, "plan.txt").await;
    let upload = &announced.body["upload"];
    for (body, changed) in [
        (&b"hello world"[..], &[][..]),
        (b"", &[]),
        (b"hello", &[("content-type", "text/html")]),
        (b"hello", &[("if-none-match", "")]),
    ] {
        let refused = put_as(upload, body, changed).await;
        assert_eq!(refused.status, FORBIDDEN, "{changed:?}: {refused:?}");
    }
    let elsewhere = upload["url"]
        .as_str()
        .unwrap()
        .replace("/attachments/", "/attachments/0");
    let mut moved = upload.clone();
    moved["url"] = json!(elsewhere);
    assert_eq!(put(&moved, b"hello").await.status, FORBIDDEN);
    assert_eq!(put(upload, b"hello").await.status, 200);
    assert_eq!(
        put(upload, b"HELLO").await.status,
        412,
        "what was confirmed stays what it was"
    );

    for bad in [
        json!({ "name": "a.html", "content_type": "text/html", "size": 5 }),
        json!({ "name": "a.txt", "content_type": "text/plain", "size": 0 }),
        json!({ "name": "a.txt", "content_type": "text/plain", "size": 26_214_401 }),
        json!({ "name": "", "content_type": "text/plain", "size": 5 }),
    ] {
        service.api.post(&path, bad).await.expect(422);
    }
}

#[tokio::test]
async fn objects_without_an_attachment_are_deleted_from_the_bucket() {
    let (service, store, path) = begun().await;
    let api = &service.api;
    let mut connection = service.database.connect().await;
    let mut urls = Vec::new();
    let (first, second) = (stored(api, &path).await, stored(api, &path).await);
    for place in [&first, &second] {
        let found = api.get(place).await.expect(200);
        urls.push(found.body["download"]["url"].as_str().unwrap().to_owned());
    }
    let never = announce(api, &path, "never.txt").await;
    api.delete(&first, "\"1\"").await.expect(412);
    api.delete(&first, "*").await.expect(204);
    api.get(&first).await.expect(404);
    // The other goes with its task; the one that never came, when its time is over.
    let (task, _) = path.rsplit_once('/').unwrap();
    sqlx::raw_sql("update attachments set upload_until = now() - interval '1 hour' where stored_at is null")
        .execute(&mut connection)
        .await
        .unwrap();
    let sweeper = instance::another_on(&service.database.parsed_url(), &store.flags()).await;
    until("what never came is forgotten", async || {
        api.post(&format!("{}/completion", never.header("location")), json!({}))
            .await
            .status
            == 404
    })
    .await;
    api.delete(task, "*").await.expect(204);
    // An upload that was under way at the deletion must not come after it.
    let waiting: i64 =
        sqlx::query_scalar("select count(*) from discarded_objects where due_at > now() + interval '15 minutes'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
    assert_eq!(waiting, 2);
    assert_eq!(get(&urls[0]).await.status, 200);
    sqlx::raw_sql("update discarded_objects set due_at = now()")
        .execute(&mut connection)
        .await
        .unwrap();
    let second_sweeper = instance::another_on(&service.database.parsed_url(), &store.flags()).await;
    for url in &urls {
        until("the object is gone", async || get(url).await.status == 404).await;
    }
    until("the keys are forgotten", async || {
        let left: i64 = sqlx::query_scalar("select count(*) from discarded_objects")
            .fetch_one(&mut service.database.connect().await)
            .await
            .unwrap();
        left == 0
    })
    .await;
    for one in [sweeper, second_sweeper] {
        one.lifecycle.interrupt();
        assert_eq!(one.ended().await, Ok(()));
    }
}

#[tokio::test]
async fn without_a_bucket_there_are_no_attachments_and_without_its_answer_the_client_tries_again() {
    let service = instance::start("").await;
    let project = service.api.project().await;
    let task = service.api.task(&project, "dig").await;
    let reply = service
        .api
        .get(&format!("/api/v1/tasks/{task}/attachments"))
        .await
        .expect(404);
    assert_eq!(reply.problem(), "not-offered");
    assert!(reply.body["detail"].as_str().unwrap().contains("ATTACHMENTS_BUCKET"));

    // A port on which nobody listens.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let gone = instance::start(&format!("--attachments-bucket files --s3-endpoint http://{free}")).await;
    let project = gone.api.project().await;
    let task = gone.api.task(&project, "dig").await;
    let announced = announce(&gone.api, &format!("/api/v1/tasks/{task}/attachments"), "plan.txt").await;
    let place = announced.header("location");
    let reply = gone
        .api
        .post(&format!("{place}/completion"), json!({}))
        .await
        .expect(503);
    assert_eq!(
        (reply.problem(), reply.header("retry-after")),
        ("bucket-unavailable", "1")
    );
    assert_ne!(announced.body["upload"]["headers"], Value::Null);
}

#[tokio::test]
async fn nobody_hears_of_a_file_before_it_is_there() {
    let store = store::start().await;
    let service = instance::start(&format!("{} --webhook-allow 127.0.0.1", store.flags())).await;
    let (api, receiver) = (&service.api, receiver::start().await);
    let project = api.project().await;
    let hooks = format!("/api/v1/projects/{project}/webhooks");
    let new = json!({ "url": receiver.url(), "actions": ["attachment.*"] });
    let hook = api.post(&hooks, new).await.expect(201);
    let task = api.task(&project, "dig").await;
    let path = format!("/api/v1/tasks/{task}/attachments");
    let mut stream = Stream::open(api, &project, None).await;

    let never = announce(api, &path, "never.txt").await;
    api.delete(never.header("location"), "*").await.expect(204);
    let place = stored(api, &path).await;
    let (_, action, told) = stream.next().await.unwrap();
    assert_eq!((action.as_str(), &told["before"]), ("attachment.added", &Value::Null));
    assert_eq!(
        (&told["after"]["name"], &told["after"]["size"]),
        (&json!("plan.txt"), &json!(5))
    );
    api.delete(&place, "*").await.expect(204);
    assert_eq!(stream.next().await.unwrap().1, "attachment.deleted");

    let actions = |items: &[Value]| -> Vec<String> {
        let actions = items.iter().map(|item| item["action"].as_str().unwrap().to_owned());
        actions.filter(|action| action.starts_with("attachment.")).collect()
    };
    let listed = api
        .every(&format!("/api/v1/projects/{project}/activity?limit=100"))
        .await;
    assert_eq!(actions(&listed), ["attachment.deleted", "attachment.added"]);
    let deliveries = format!("{}/deliveries?limit=100", hook.header("location"));
    assert_eq!(
        actions(&api.every(&deliveries).await),
        ["attachment.deleted", "attachment.added"]
    );
    // The audit trail has all of it.
    let recorded: i64 = sqlx::query_scalar(
        "select count(*) from events where action = 'attachment.announced' and after ->> 'name' is not null",
    )
    .fetch_one(&mut service.database.connect().await)
    .await
    .unwrap();
    assert_eq!(recorded, 2);
}

#[tokio::test]
async fn the_files_of_a_project_have_so_much_room_and_no_more() {
    let store = store::start().await;
    let service = instance::start(&format!("{} --attachment-project-bytes 12", store.flags())).await;
    let (api, project) = (&service.api, service.api.project().await);
    let new = json!({ "name": "plan.txt", "content_type": "text/plain", "size": 5 });
    let mut announcing = JoinSet::new();
    for _ in 0..8 {
        let path = format!("/api/v1/tasks/{}/attachments", api.task(&project, "dig").await);
        let (api, new) = (api.clone(), new.clone());
        announcing.spawn(async move { api.post(&path, new).await });
    }
    let replies = announcing.join_all().await;
    let (made, refused): (Vec<&Reply>, Vec<&Reply>) = replies.iter().partition(|reply| reply.status == 201);
    assert_eq!(made.len(), 2, "{replies:?}");
    for reply in refused {
        assert_eq!((reply.status.as_u16(), reply.problem()), (409, "no-room"), "{reply:?}");
        assert!(reply.body["detail"].as_str().unwrap().contains("12 bytes"), "{reply:?}");
    }
    // One project's files are nobody else's, and what is gone takes no room.
    let elsewhere = format!(
        "/api/v1/tasks/{}/attachments",
        api.task(&api.project().await, "dig").await
    );
    api.post(&elsewhere, new.clone()).await.expect(201);
    let task = made[0].body["task_id"].as_str().unwrap();
    api.delete(&format!("/api/v1/tasks/{task}"), "*").await.expect(204);
    let path = format!("/api/v1/tasks/{}/attachments", api.task(&project, "rake").await);
    api.post(&path, new.clone()).await.expect(201);
    assert_eq!(api.post(&path, new).await.expect(409).problem(), "no-room");
}

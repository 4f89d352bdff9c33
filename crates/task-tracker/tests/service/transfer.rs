//! Projects and tasks as files: what goes out comes in again, whole or not at all.

use axum::body::Body;
use hyper::Method;
use proptest::{
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::{Api, Reply},
    instance::start,
};

const FORMAT: &str = "task-tracker.project/2";

async fn import(api: &Api, document: &Value) -> Reply {
    api.post("/api/v1/projects/import", document.clone()).await
}

async fn import_table(api: &Api, project: &str, table: &str) -> Reply {
    let request = api.request(Method::POST, &format!("/api/v1/projects/{project}/tasks.csv"));
    let request = request.header("content-type", "text/csv; charset=utf-8");
    api.send(request.body(Body::from(table.to_owned())).unwrap()).await
}

async fn export(api: &Api, project: &str) -> Value {
    let reply = api.get(&format!("/api/v1/projects/{project}/export")).await.expect(200);
    assert_eq!(reply.header("content-type"), "application/json");
    reply.body
}

async fn table(api: &Api, project: &str) -> String {
    let reply = api
        .get(&format!("/api/v1/projects/{project}/tasks.csv"))
        .await
        .expect(200);
    assert_eq!(reply.header("content-type"), "text/csv; charset=utf-8");
    assert!(
        reply
            .header("content-disposition")
            .starts_with("attachment; filename=\"tasks-")
    );
    reply.body.as_str().unwrap().to_owned()
}

fn document(tasks: &[Value]) -> Value {
    json!({ "format": FORMAT, "project": { "name": "garden" }, "tasks": tasks })
}

/// Without what is of one moment or one database only.
fn comparable(mut exported: Value) -> Value {
    let tree = tree(&exported);
    for (task, parent) in exported["tasks"].as_array_mut().unwrap().iter_mut().zip(tree) {
        task["id"].take();
        task["parent_id"] = json!(parent);
    }
    for task in exported["tasks"].as_array_mut().unwrap() {
        for comment in task["comments"].as_array_mut().unwrap() {
            comment["author_id"].take();
        }
    }
    exported
}

/// Of each task, which one of the document it is a part of.
fn tree(document: &Value) -> Vec<Option<usize>> {
    let tasks = document["tasks"].as_array().unwrap();
    let place = |id: &Value| tasks.iter().position(|task| &task["id"] == id);
    let parents = tasks.iter().map(|task| &task["parent_id"]);
    parents
        .map(|id| {
            id.is_string()
                .then(|| place(id).expect("a parent of the same document"))
        })
        .collect()
}

/// Tasks of which some are parts of others, five deep at most, in an order in which either may come first.
fn forest() -> impl Strategy<Value = Vec<Value>> {
    let wishes = prop::collection::vec((task(), prop::option::of(any::<prop::sample::Index>())), 0..9);
    (wishes, any::<bool>()).prop_map(|(wishes, backwards)| {
        let id = |number: usize| json!(Uuid::from_u128(number as u128 + 1));
        let mut depths: Vec<usize> = Vec::new();
        let mut tasks: Vec<Value> = Vec::new();
        for (number, (mut task, wish)) in wishes.into_iter().enumerate() {
            let parent = wish
                .filter(|_| number > 0)
                .map(|wish| wish.index(number))
                .filter(|parent| depths[*parent] < 4);
            depths.push(parent.map_or(0, |parent| depths[parent] + 1));
            task["id"] = id(number);
            task["parent_id"] = parent.map_or(Value::Null, id);
            tasks.push(task);
        }
        if backwards {
            tasks.reverse();
        }
        tasks
    })
}

/// Names as people, spreadsheets and attackers write them.
fn name() -> impl Strategy<Value = String> {
    "[=+@' ;,\"\\\\a-c-]{0,6}[a-zäß漢😀]".prop_map(|name| name)
}

fn task() -> impl Strategy<Value = Value> {
    let prose = "[=+@'\t\r\n ;,\"\\\\a-c😀-]{0,12}";
    let labels = prop::collection::btree_set(name(), 0..4);
    let comments = prop::collection::vec(name(), 0..3);
    let due = prop::option::of(0..4_000_000_000_i64);
    let status = prop::sample::select(vec!["open", "in_progress", "done"]);
    (name(), prose, status, labels, comments, due).prop_map(|(title, description, status, labels, comments, due)| {
        let comments = comments
            .iter()
            .map(|body| json!({ "body": body, "created_at": "2020-02-29T12:00:00Z" }));
        let due = due.map(|seconds| time::OffsetDateTime::from_unix_timestamp(seconds).unwrap());
        let format = time::format_description::well_known::Rfc3339;
        json!({
            "title": title, "description": description, "status": status, "priority": "high", "labels": labels,
            "comments": comments.collect::<Vec<_>>(), "due_at": due.map(|due| due.format(&format).unwrap()),
        })
    })
}

#[tokio::test]
async fn what_goes_out_comes_in_again() {
    let service = start("--writes-per-minute 1000000").await;
    let api = &service.api;
    let mut runner = TestRunner::new(Config::default());
    let documents = forest();
    // A case is a handful of requests.
    for _ in 0..(runner.config().cases / 16).max(1) {
        let tasks = documents.new_tree(&mut runner).unwrap().current();
        let made = import(api, &document(&tasks)).await.expect(201);
        let first = made.body["project_id"].as_str().unwrap().to_owned();
        assert_eq!(made.header("location"), format!("/api/v1/projects/{first}"));
        let exported = export(api, &first).await;
        assert_eq!(exported["tasks"].as_array().unwrap().len(), tasks.len());
        assert_eq!(tree(&exported), tree(&document(&tasks)));
        for (given, found) in tasks.iter().zip(exported["tasks"].as_array().unwrap()) {
            for field in ["title", "description", "status", "priority"] {
                assert_eq!(given[field], found[field], "{field}");
            }
            assert_eq!(
                given["labels"].as_array().unwrap().len(),
                found["labels"].as_array().unwrap().len()
            );
        }
        let again = import(api, &exported).await.expect(201);
        let second = again.body["project_id"].as_str().unwrap();
        assert_eq!(again.body["parents_left_out"], 0);
        assert_eq!(comparable(export(api, second).await), comparable(exported));

        let written = table(api, &first).await;
        let third = api.project().await;
        let added = import_table(api, &third, &written).await.expect(201);
        assert_eq!(added.body, json!({ "tasks": tasks.len() }));
        assert_eq!(table(api, &third).await, written);
    }
}

/// As many as an import may have, and as deep and as wide as tasks may stand.
#[tokio::test]
async fn the_largest_tree_is_imported_and_what_is_none_is_refused() {
    let service = start("").await;
    let api = &service.api;
    let id = |number: usize| json!(Uuid::from_u128(number as u128 + 1));
    let tasks: Vec<Value> = (0..5000)
        .map(|number| match number {
            0 => json!({ "title": "x", "id": id(0) }),
            _ => json!({ "title": "x", "id": id(number), "parent_id": id((number - 1) / 100) }),
        })
        .collect();
    let made = import(api, &document(&tasks)).await.expect(201);
    let project = made.body["project_id"].as_str().unwrap();
    assert_eq!(tree(&export(api, project).await), tree(&document(&tasks)));

    let part = |number: usize, of: usize| json!({ "title": "x", "id": id(number), "parent_id": id(of) });
    for (tasks, expected) in [
        (
            vec![part(0, 1), part(1, 0)],
            "a task is no part of itself, nor of one of its parts",
        ),
        (vec![part(0, 0)], "a task is no part of itself"),
        (
            (0..6).map(|number| part(number, number + 1)).collect(),
            "tasks stand five deep at most",
        ),
        (
            (1..102)
                .map(|number| part(number, 200))
                .chain([part(200, 500)])
                .collect(),
            "at most 100 subtasks",
        ),
        (vec![part(0, 9), part(0, 9)], "task 2: an earlier one has the same `id`"),
    ] {
        let refused = import(api, &document(&tasks)).await.expect(422);
        assert!(
            refused.body["detail"].as_str().unwrap().contains(expected),
            "{refused:?}"
        );
    }
    // A parent that was deleted while the document was written is missed by nobody; and the first form has no parents.
    let made = import(api, &document(&[part(0, 9)])).await.expect(201);
    assert_eq!(
        (&made.body["tasks"], &made.body["parents_left_out"]),
        (&json!(1), &json!(1))
    );
    let mut first = document(&[json!({ "title": "dig" })]);
    first["format"] = json!("task-tracker.project/1");
    import(api, &first).await.expect(201);
}

#[tokio::test]
async fn a_project_of_several_pages_is_whole_and_keeps_its_order() {
    let service = start("").await;
    let titles: Vec<String> = (0..450).map(|number| format!("task {number}")).collect();
    let tasks: Vec<Value> = titles.iter().map(|title| json!({ "title": title })).collect();
    let made = import(&service.api, &document(&tasks)).await.expect(201);
    assert_eq!(made.body["tasks"], 450);
    let project = made.body["project_id"].as_str().unwrap();
    let exported = export(&service.api, project).await;
    assert_eq!(exported["tasks"].as_array().unwrap().len(), 450);
    assert_eq!(table(&service.api, project).await.lines().count(), 451);
    let path = format!("/api/v1/projects/{project}/tasks?sort=rank&limit=100");
    let page = service.api.get(&path).await.expect(200).body;
    let placed: Vec<&str> = page["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| task["title"].as_str().unwrap())
        .collect();
    assert_eq!(placed, titles[..100]);
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_written() {
    let service = start("").await;
    let api = &service.api;
    let good = json!({ "title": "dig" });
    let many = |count: usize| vec![good.clone(); count];
    let labels: Vec<Value> = (0..11)
        .map(|task| json!({ "title": "dig", "labels": (0..19).map(|label| format!("{task}-{label}")).collect::<Vec<_>>() }))
        .collect();
    for (document, status, expected) in [
        (
            document(&[good.clone(), json!({ "title": "" })]),
            422,
            "task 2: a name must not be blank",
        ),
        (
            document(&[json!({ "title": "dig", "status": "soon" })]),
            422,
            "task 1: unknown variant `soon`",
        ),
        (
            document(&[json!({ "title": "dig", "owner": "ann" })]),
            422,
            "task 1: unknown field `owner`",
        ),
        (document(&many(5001)), 422, "at most 5000 tasks"),
        (document(&labels), 422, "at most 200 labels"),
        (
            json!({ "format": "other/1", "project": { "name": "garden" }, "tasks": [] }),
            422,
            "unknown variant `other/1`",
        ),
    ] {
        let refused = import(api, &document).await.expect(status);
        assert!(
            refused.body["detail"].as_str().unwrap().contains(expected),
            "{refused:?}"
        );
    }
    let large = document(&vec![json!({ "title": "dig", "description": "x".repeat(9000) }); 500]);
    assert_eq!(import(api, &large).await.expect(413).problem(), "too-large");
    let text = api
        .request(Method::POST, "/api/v1/projects/import")
        .header("content-type", "text/plain");
    api.send(text.body(Body::from("{}")).unwrap()).await.expect(415);
    let listed = api.get("/api/v1/projects").await.expect(200).body;
    assert_eq!(listed["items"], json!([]), "nothing was made");

    let project = api.project().await;
    let (stranger, _) = service.user("stranger").await;
    for (table, expected) in [
        ("title,status\ndig,\nrake,soon\n".to_owned(), "row 3: `status`"),
        (
            format!("title,assignees\ndig,\nrake,{stranger}\n"),
            "row 3: `assignees`",
        ),
    ] {
        let refused = import_table(api, &project, &table).await.expect(422);
        assert!(
            refused.body["detail"].as_str().unwrap().contains(expected),
            "{refused:?}"
        );
    }
    let tasks = api
        .get(&format!("/api/v1/projects/{project}/tasks"))
        .await
        .expect(200)
        .body;
    assert_eq!(tasks["items"], json!([]));
}

#[tokio::test]
async fn a_file_speaks_for_nobody_but_who_brings_it() {
    let service = start("").await;
    let ann = service.api.get("/api/v1/me").await.expect(200).id();
    let (bob, _) = service.user("bob").await;
    let said = |author: &str| json!({ "author_id": author, "body": "Yes.", "created_at": "9000-01-01T00:00:00Z" });
    let task = json!({
        "title": "dig", "assignee_ids": [ann, bob], "comments": [said(&ann), said(&bob.to_string())],
    });
    let made = import(&service.api, &document(&[task])).await.expect(201).body;
    assert_eq!(
        (&made["comments"], &made["assignments_left_out"]),
        (&json!(2), &json!(1))
    );
    let exported = export(&service.api, made["project_id"].as_str().unwrap()).await;
    let task = &exported["tasks"][0];
    assert_eq!(task["assignee_ids"], json!([ann]));
    let comments = task["comments"].as_array().unwrap();
    let authors: Vec<&Value> = comments.iter().map(|comment| &comment["author_id"]).collect();
    assert_eq!(authors, [&json!(ann), &Value::Null]);
    assert!(
        !comments[0]["created_at"].as_str().unwrap().starts_with("9000"),
        "nothing is of the future"
    );
}

#[tokio::test]
async fn an_import_sent_twice_under_one_key_happens_once_however_large() {
    let service = start("").await;
    let tasks = vec![json!({ "title": "dig", "description": "x".repeat(1000) }); 100];
    let body = document(&tasks).to_string();
    let send = async || {
        let request = service.api.request(Method::POST, "/api/v1/projects/import");
        let request = request
            .header("content-type", "application/json")
            .header("idempotency-key", "a");
        service
            .api
            .send(request.body(Body::from(body.clone())).unwrap())
            .await
            .expect(201)
            .body
    };
    let first = send().await;
    assert_eq!(send().await, first);
    let listed = service.api.get("/api/v1/projects").await.expect(200).body;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_table_holds_no_formulas_and_makes_the_labels_it_names() {
    let service = start("").await;
    let project = service.api.project().await;
    let first = format!("/api/v1/projects/{project}/labels");
    let red = json!({ "name": "red", "colour": "#ff0000" });
    service.api.post(&first, red).await.expect(201);
    service.api.task(&project, "=cmd|' /C calc'!A0").await;
    let made = table(&service.api, &project).await;
    assert!(made.contains("\r\n'=cmd|"), "{made}");
    import_table(&service.api, &project, "title,labels\ndig,red;blue\n")
        .await
        .expect(201);
    let labels = service.api.get(&first).await.expect(200).body;
    let mut found: Vec<(&str, &str)> = labels["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| (label["name"].as_str().unwrap(), label["colour"].as_str().unwrap()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("blue", "#808080"), ("red", "#ff0000")]);
    let activity = service
        .api
        .get(&format!("/api/v1/projects/{project}/activity"))
        .await
        .expect(200)
        .body;
    assert!(activity.to_string().contains("tasks.imported"), "{activity}");
}

//! The service against a client that has read its description and tries everything in it (schemathesis, all checks).
//!
//! It runs where Python is; elsewhere the test says that it was left out, and why.

use std::{fs, path::Path};

use serde_json::json;
use tokio::process::Command;
use tt_fixture::venv;

use crate::{
    api::Api,
    instance::{Instance, start},
    line::skipped,
    store,
};

/// These end the session that a run goes by: they have a session of their own.
const LAST: [&str; 2] = ["logout", "revoke_session"];

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Which answers to good requests are as good: `rules.py` knows them by the type of the problem.
const RULES: &str = include_str!("rules.py");

/// Minutes on a busy machine: every operation is tried in dozens of ways.
const PATIENCE: std::time::Duration = std::time::Duration::from_mins(15);

/// Of a stream without an end the tester takes what comes within this time, in seconds; headers are there at once.
const FOLLOWING: &str = "[[operations]]\ninclude-operation-id = \"follow_project\"\nrequest-timeout = 3";

/// RFC 6585, 3: 428 is for what the tester expects another status for.
const MISSING: &str = "checks.missing_required_header.expected-statuses = [400, 401, 403, 406, 415, 422, 428]";

#[tokio::test]
async fn what_the_description_says_is_what_the_service_does() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance");
    let installed = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || venv::programs(&folder, REQUIREMENTS)
    });
    let tester = match installed.await.unwrap() {
        Ok(programs) => programs.join("schemathesis"),
        Err(why) => return skipped(&format!("the description is not tried out: {why}")),
    };
    // What is tried is whether the answers fit, not how many are allowed.
    let store = store::start().await;
    let flags = format!(
        "--writes-per-minute 1000000 --requests-per-minute 1000000 --anonymous-per-minute 1000000 --trusted-proxies 0 {}",
        store.flags()
    );
    let service = start(&flags).await;
    furnish(&service.api).await;
    let (_, bob) = service.user("bob").await;
    furnish(&bob).await;
    let token = all_scopes(&bob).await;

    let folder = folder.join(uuid::Uuid::now_v7().to_string());
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("rules.py"), RULES).unwrap();
    let session = session_of(&service.api);
    let but_the_last: Vec<&str> = LAST.iter().flat_map(|id| ["--exclude-operation-id", id]).collect();
    try_all(&tester, &folder, &service, &session, &but_the_last).await;
    let token = format!("auth.openapi.token.bearer = \"{token}\"");
    try_all(&tester, &folder, &service, &token, &[]).await;
    let (_, carol) = service.user("carol").await;
    let only_the_last: Vec<&str> = LAST.iter().flat_map(|id| ["--include-operation-id", id]).collect();
    try_all(&tester, &folder, &service, &session_of(&carol), &only_the_last).await;
    fs::remove_dir_all(folder).unwrap();
    service.api.get("/readyz").await.expect(200);
    nothing_unexpected(&service).await;
}

fn session_of(api: &Api) -> String {
    let credentials = api.credentials();
    let (_, session) = credentials.split_once("__Host-session=").unwrap();
    format!("auth.openapi.session.api_key = \"{session}\"")
}

/// By these credentials, those operations that are chosen.
async fn try_all(tester: &Path, folder: &Path, service: &Instance, credentials: &str, chosen: &[&str]) {
    let config = folder.join("schemathesis.toml");
    let settings = format!("hooks = \"rules.py\"\n{MISSING}\n{credentials}\n{FOLLOWING}\n");
    fs::write(&config, settings).unwrap();
    let mut run = Command::new(tester);
    run.arg("--config-file")
        .arg(&config)
        .args(["run", &format!("http://{}/api/openapi.json", service.address)])
        .args(chosen)
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--max-examples", "15", "--seed", "1"])
        .args(["--suppress-health-check", "all", "--no-color"])
        .current_dir(folder)
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, run.output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{}", said.join("\n"));
}

/// Something of everything, so that lists are not empty.
async fn furnish(api: &Api) {
    let project = api.project().await;
    let task = api.task(&project, "dig").await;
    let filter = json!({ "name": "Ours", "audience": "project", "filter": { "status": "open" } });
    api.post(&format!("/api/v1/projects/{project}/filters"), filter)
        .await
        .expect(201);
    for when in [
        json!({ "at": "2001-01-01T00:00:00Z" }),
        json!({ "minutes_before_due": 5 }),
    ] {
        api.post(&format!("/api/v1/tasks/{task}/reminders"), when)
            .await
            .expect(201);
    }
    api.post(
        &format!("/api/v1/projects/{project}/invitations"),
        json!({ "role": "viewer" }),
    )
    .await
    .expect(201);
}

async fn all_scopes(api: &Api) -> String {
    let scopes = ["projects:read", "projects:write", "tasks:read", "tasks:write"];
    let new = json!({ "name": "all", "scopes": scopes, "expires_in_days": 1 });
    let made = api.post("/api/v1/tokens", new).await.expect(201);
    made.body["token"].as_str().unwrap().to_owned()
}

/// The tester sees statuses; a fault that was answered as something else would still be counted here.
async fn nothing_unexpected(service: &Instance) {
    let metrics = Api::at(service.metrics).get("/metrics").await.expect(200);
    let text = metrics.body.as_str().unwrap();
    assert!(!text.contains("status=\"500\""), "{text}");
}

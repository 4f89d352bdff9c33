//! The service against a client that has read its description and tries everything in it (schemathesis, all checks).
//!
//! It runs where Python is; elsewhere the test says that it was left out, and why.

mod venv;

use std::io::{self, Write};

use serde_json::json;
use tokio::process::Command;

use crate::{
    api::Api,
    instance::{Instance, start},
    line::within,
};

/// Ends the session that the run goes by; `accounts` tests it.
const ENDS_THE_RUN: &str = "logout";

#[tokio::test]
async fn what_the_description_says_is_what_the_service_does() {
    let tester = match tokio::task::spawn_blocking(venv::schemathesis).await.unwrap() {
        Ok(tester) => tester,
        Err(why) => {
            // Seen with --nocapture, and in CI's log.
            drop(writeln!(
                io::stderr(),
                "skipped: the description is not tried out: {why}"
            ));
            return;
        }
    };
    // What is tried is whether the answers fit, not how many are allowed.
    let service = start("--writes-per-minute 1000000 --trusted-proxies 0").await;
    furnish(&service.api).await;
    let (_, bob) = service.user("bob").await;
    furnish(&bob).await;
    let token = all_scopes(&bob).await;

    for credentials in [service.api.credentials(), format!("Authorization: Bearer {token}")] {
        let mut run = Command::new(&tester);
        run.args(["run", &format!("http://{}/api/openapi.json", service.address)])
            .args(["--header", &credentials])
            .args(["--exclude-operation-id", ENDS_THE_RUN])
            .args(["--checks", "all", "--max-examples", "15", "--seed", "1"])
            .args([
                "--suppress-health-check",
                "all",
                "--no-color",
                "--generation-database",
                "none",
            ])
            .current_dir(venv::folder())
            .kill_on_drop(true);
        let output = within(run.output()).await.unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        assert!(output.status.success(), "{}", said.join("\n"));
    }
    service.api.get("/readyz").await.expect(200);
    nothing_unexpected(&service).await;
}

/// Something of everything, so that lists are not empty.
async fn furnish(api: &Api) {
    let project = api.project().await;
    api.task(&project, "dig").await;
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

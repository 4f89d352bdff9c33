//! Clients that nobody here wrote use the sandbox: boto3 and the AWS CLI deploy a release, and moto, which plays the same
//! services, must answer in the same shape.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

#[path = "../support/mod.rs"]
mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use support::{Bench, start};
use tokio::process::Command;
use tt_fixture::venv;

const REQUIREMENTS: &str = include_str!("requirements.txt");

/// The CLI starts an interpreter for every call.
const PATIENCE: Duration = Duration::from_mins(10);

#[tokio::test(flavor = "multi_thread")]
async fn boto3_deploys_a_release_and_uses_every_service() {
    with_users("with_boto3.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_deploys_a_release_and_looks_around() {
    with_users("with_aws_cli.py").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moto_answers_in_the_same_shape() {
    let Some(python) = python().await else { return };
    let bench = start().await;
    run(&python, "shapes_as_moto.py", &bench).await;
    bench.sandbox.shutdown().await;
}

/// Release `a` serves, `b` is in the registry, and users keep asking; none of them may ever be failed.
async fn with_users(script: &str) {
    let Some(python) = python().await else { return };
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    bench.settle("a").await;
    let users = bench.users();
    run(&python, script, &bench).await;
    support::assert_only(&users.stop().await, &["a", "b"]);
    bench.sandbox.shutdown().await;
}

async fn run(python: &Path, script: &str, bench: &Bench) {
    let mut command = Command::new(python);
    command
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script))
        .env("AWS_ENDPOINT_URL", format!("http://{}", bench.address))
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_DEFAULT_REGION", "eu-central-1")
        // Nothing of the person who runs the tests may leak in.
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env_remove("AWS_PROFILE")
        .env_remove("AWS_SESSION_TOKEN")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .expect("the script never ended")
        .unwrap();
    let said = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{script}: {}\n{}", said[0], said[1]);
}

/// Without the clients there is nothing to test; the test says so on the real standard error, which no test harness hides.
async fn python() -> Option<std::path::PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws-clients");
    let installed = tokio::task::spawn_blocking(move || venv::programs(&folder, REQUIREMENTS));
    match installed.await.unwrap() {
        Ok(programs) => Some(programs.join("python")),
        Err(reason) => {
            let line = format!("skipped, the AWS clients are not there: {reason}\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            None
        }
    }
}

//! What outlives a sandbox and what does not: state does, processes do not.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use aws_sandbox::Sandbox;
use aws_sdk_ecs::types::ServiceDeploymentStatus;
use support::{
    CLUSTER, SERVICE, assert_only, blue_green, canary, config, deploy, ecs, eventually, network, push, service,
    stack_file, start, tasks_of, until,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_flight_goes_on_after_a_restart() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    bench.settle("a").await;
    let arn = bench.deploy("b", canary()).await;
    let hook = bench.pause(&arn).await;
    let (folder, number) = (bench.folder, bench.network);
    bench.sandbox.shutdown().await;

    let sandbox = Sandbox::start(config(folder.path(), number)).await.unwrap();
    let bench = support::Bench {
        ecs: ecs(sandbox.address()),
        address: sandbox.address(),
        network: number,
        folder,
        sandbox,
    };
    assert_eq!(bench.pause(&arn).await, hook, "the pause is the same one");
    let users = bench.users();
    eventually("a serves again", async || users.take().contains_key("a")).await;
    bench.go_on(&arn, &hook).await;
    eventually("b has its share", async || users.look().contains_key("b")).await;
    let second = bench
        .until(&arn, "another pause", |deployment| {
            deployment.lifecycle_hook_details().len() == 2
        })
        .await;
    bench
        .go_on(&arn, second.lifecycle_hook_details()[1].hook_id().unwrap())
        .await;
    assert_eq!(
        bench.ended(&arn).await.status(),
        Some(&ServiceDeploymentStatus::Successful)
    );
    users.take();
    eventually("b serves", async || users.look().contains_key("b")).await;
    assert_only(&users.stop().await, &["b"]);
    bench.sandbox.shutdown().await;
}

/// A sandbox as its own process, which a test can kill.
struct Killable(Child);

impl Killable {
    fn start(state: &Path, stack: &Path, number: u8) -> Self {
        let log = fs::File::create(state.join("../sandbox.log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_aws-sandbox"))
            .arg("serve")
            .args(["--minute", "1s", "--user", "65534:65534"])
            .arg("--state")
            .arg(state)
            .arg("--stack")
            .arg(stack)
            .args([
                "--listen",
                &format!("127.{number}.0.1:4566"),
                "--task-network",
                &number.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Killable {
    fn drop(&mut self) {
        // It may be dead already, which is what a test wanted.
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sandbox_leaves_no_process_and_finds_its_state_again() {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    let stack = stack_file(folder.path());
    let (number, reserved) = network();
    drop(reserved);
    let mut killable = Killable::start(&state, &stack, number);
    let address = format!("127.{number}.0.1:4566").parse().unwrap();
    let client = ecs(address);
    eventually("the service is there", async || {
        client
            .describe_services()
            .cluster(CLUSTER)
            .services(SERVICE)
            .send()
            .await
            .is_ok_and(|found| !found.services().is_empty())
    })
    .await;
    push(address, "a", &[]).await;
    let arn = deploy(&client, "a", blue_green(0)).await;
    until(&client, &arn, "success", |deployment| {
        deployment.status() == Some(&ServiceDeploymentStatus::Successful)
    })
    .await;
    assert_eq!(tasks_of(number).len(), 2);

    killable.0.kill().unwrap();
    killable.0.wait().unwrap();
    eventually("no task is left", async || tasks_of(number).is_empty()).await;

    let _again = Killable::start(&state, &stack, number);
    eventually("both tasks run again", async || {
        let up = client
            .describe_services()
            .cluster(CLUSTER)
            .services(SERVICE)
            .send()
            .await
            .is_ok();
        up && service(&client).await.running_count() == 2
    })
    .await;
    assert_eq!(service(&client).await.current_service_deployment(), Some(arn.as_str()));
}

/// Tasks run as nobody and must reach their images.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

//! Tasks as containers of a real engine. Without one at `DOCKER_HOST` or Docker's usual socket, each test says that it is skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use aws_sandbox::TaskRuntime;
use aws_sdk_ecs::types::{
    ContainerDefinition, ContainerOverride, HealthCheck, HealthStatus, KeyValuePair, LogConfiguration, LogDriver,
    ServiceDeploymentStatus, Task, TaskOverride,
};
use support::{
    Bench, CLUSTER, assert_only, blue_green, credentials, deploy, ecs, eventually, network, push_program, region,
    stack_file, start_with, tasks_of, until,
};

/// The engine's socket; nothing, and a line that nobody overlooks, when there is none.
fn engine(test: &str) -> Option<PathBuf> {
    let host = std::env::var("DOCKER_HOST").ok();
    let Ok(TaskRuntime::Container { engine }) = TaskRuntime::container(host.as_deref()) else {
        return skipped(test, "DOCKER_HOST is no Unix socket");
    };
    if UnixStream::connect(&engine).is_err() {
        return skipped(test, &format!("no container engine answers at {}", engine.display()));
    }
    Some(engine)
}

fn skipped(test: &str, why: &str) -> Option<PathBuf> {
    // Past the test's captured output: nobody should believe that this ran.
    let mut out = std::io::stderr();
    writeln!(out, "SKIPPED {test}: {why}").unwrap();
    None
}

/// The program, built without any library, because its image holds nothing else.
fn program() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("containers");
    fs::create_dir_all(&folder).unwrap();
    // Tests run side by side; the first builds, the others wait for it.
    let lock = fs::File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    let (source, built) = (include_str!("containers/program.rs"), folder.join("program"));
    let (kept, file) = (folder.join("built.rs"), folder.join("program.rs"));
    if built.exists() && fs::read_to_string(&kept).is_ok_and(|kept| kept == source) {
        return built;
    }
    fs::write(&file, source).unwrap();
    let compiled = Command::new("rustc")
        .args(["--edition=2024", "-C", "target-feature=+crt-static", "-o"])
        .arg(&built)
        .arg(&file)
        .status()
        .unwrap();
    assert!(compiled.success());
    fs::write(kept, source).unwrap();
    built
}

async fn push(bench: &Bench, tag: &str) {
    let environment = BTreeMap::from([("RELEASE".to_owned(), tag.to_owned())]);
    push_program(bench.address, program(), tag, environment).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_containers_serves_and_is_replaced() {
    let Some(engine) = engine("a_service_of_containers_serves_and_is_replaced") else {
        return;
    };
    let bench = start_with(TaskRuntime::Container { engine }).await;
    push(&bench, "a").await;
    push(&bench, "b").await;
    let ended = bench.settle("a").await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::Successful));
    assert_eq!(tasks_of(bench.network).len(), 2);
    let users = bench.users();
    eventually("a serves", async || users.look().contains_key("a")).await;
    let ended = bench.settle("b").await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::Successful));
    users.take();
    eventually("b serves", async || users.look().contains_key("b")).await;
    assert_only(&users.stop().await, &["b"]);
    let network = bench.network;
    bench.sandbox.shutdown().await;
    assert!(tasks_of(network).is_empty(), "no container outlives the sandbox");
}

/// Runs a one-off task to its end.
async fn run(bench: &Bench, command: &[&str], container: ContainerDefinition) -> Task {
    bench
        .ecs
        .register_task_definition()
        .family("job")
        .container_definitions(container)
        .send()
        .await
        .unwrap();
    let changed = ContainerOverride::builder()
        .name("app")
        .set_command(Some(command.iter().map(|&word| word.to_owned()).collect()))
        .environment(KeyValuePair::builder().name("GREETING").value("hello, world").build())
        .build();
    let started = bench
        .ecs
        .run_task()
        .cluster(CLUSTER)
        .task_definition("job")
        .overrides(TaskOverride::builder().container_overrides(changed).build())
        .send()
        .await
        .unwrap();
    let arn = started.tasks()[0].task_arn().unwrap().to_owned();
    eventually("the task stops", async || {
        task(bench, &arn).await.last_status() == Some("STOPPED")
    })
    .await;
    task(bench, &arn).await
}

async fn task(bench: &Bench, arn: &str) -> Task {
    let found = bench.ecs.describe_tasks().cluster(CLUSTER).tasks(arn).send().await;
    found.unwrap().tasks.unwrap().remove(0)
}

fn container(image: &str) -> aws_sdk_ecs::types::builders::ContainerDefinitionBuilder {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", "/ecs/jobs")
        .options("awslogs-stream-prefix", "job")
        .build()
        .unwrap();
    ContainerDefinition::builder()
        .name("app")
        .image(image)
        .log_configuration(log)
}

async fn printed(bench: &Bench, task: &Task, lines: usize) -> Vec<String> {
    let config = aws_sdk_cloudwatchlogs::Config::builder()
        .behavior_version(aws_sdk_cloudwatchlogs::config::BehaviorVersion::latest())
        .region(region())
        .endpoint_url(format!("http://{}", bench.address))
        .credentials_provider(credentials())
        .build();
    let logs = aws_sdk_cloudwatchlogs::Client::from_conf(config);
    let stream = format!("job/app/{}", task.task_arn().unwrap().rsplit('/').next().unwrap());
    let read = async || {
        let read = logs
            .get_log_events()
            .log_group_name("/ecs/jobs")
            .log_stream_name(&stream)
            .start_from_head(true)
            .send()
            .await;
        let events = read.ok().and_then(|read| read.events).unwrap_or_default();
        events.into_iter().filter_map(|event| event.message).collect::<Vec<_>>()
    };
    eventually("it is in the log", async || read().await.len() >= lines).await;
    let mut printed = read().await;
    printed.sort();
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_one_off_container_is_confined_and_its_words_and_end_are_told() {
    let Some(engine) = engine("a_one_off_container_is_confined_and_its_words_and_end_are_told") else {
        return;
    };
    let bench = start_with(TaskRuntime::Container { engine }).await;
    push(&bench, "a").await;

    let ended = run(&bench, &["exit", "7"], container("web:a").build()).await;
    assert_eq!(ended.containers()[0].exit_code(), Some(7));

    let ended = run(&bench, &["print", "GREETING"], container("web:a").build()).await;
    assert_eq!(ended.containers()[0].exit_code(), Some(0));
    assert_eq!(
        printed(&bench, &ended, 2).await,
        ["and to the other output", "hello, world"]
    );

    let read_only = container("web:a").readonly_root_filesystem(true).build();
    let ended = run(&bench, &["confess"], read_only).await;
    assert_eq!(
        printed(&bench, &ended, 5).await,
        [
            "CapBnd: 0000000000000000",
            "NoNewPrivs: 1",
            "Uid: 65534 65534 65534 65534",
            "pid 1",
            "write Err(ReadOnlyFilesystem)"
        ]
    );

    let ended = run(&bench, &[], container("web:a").entry_point("/app/none").build()).await;
    let reason = ended.stopped_reason().unwrap();
    assert!(reason.starts_with("CannotStartContainerError: "), "{reason}");
    assert!(reason.contains("/app/none"), "{reason}");
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_ignores_the_request_to_stop_is_killed_and_its_health_was_checked() {
    let Some(engine) = engine("a_container_that_ignores_the_request_to_stop_is_killed_and_its_health_was_checked")
    else {
        return;
    };
    let bench = start_with(TaskRuntime::Container { engine }).await;
    push(&bench, "a").await;
    let check = HealthCheck::builder()
        .command("CMD")
        .command("/app/program")
        .command("exit")
        .command("0");
    let definition = container("web:a")
        .stop_timeout(1)
        .health_check(check.interval(5).retries(1).build().unwrap())
        .build();
    bench
        .ecs
        .register_task_definition()
        .family("stubborn")
        .container_definitions(definition)
        .send()
        .await
        .unwrap();
    let started = bench
        .ecs
        .run_task()
        .cluster(CLUSTER)
        .task_definition("stubborn")
        .send()
        .await
        .unwrap();
    let arn = started.tasks()[0].task_arn().unwrap().to_owned();
    eventually("the check has passed", async || {
        task(&bench, &arn).await.containers()[0].health_status() == Some(&HealthStatus::Healthy)
    })
    .await;
    bench.ecs.stop_task().cluster(CLUSTER).task(&arn).send().await.unwrap();
    eventually("the task stops", async || {
        task(&bench, &arn).await.last_status() == Some("STOPPED")
    })
    .await;
    assert_eq!(task(&bench, &arn).await.containers()[0].exit_code(), Some(137));
    bench.sandbox.shutdown().await;
}

/// A sandbox as its own process, which a test can kill.
struct Killable(Child);

impl Drop for Killable {
    fn drop(&mut self) {
        // It may be dead already, which is what the test wants.
        let _killed = self.0.kill();
        let _status = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sandbox_leaves_no_container() {
    let Some(engine) = engine("a_killed_sandbox_leaves_no_container") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let stack = stack_file(folder.path());
    let (number, reserved) = network();
    drop(reserved);
    let child = Command::new(env!("CARGO_BIN_EXE_aws-sandbox"))
        .args(["serve", "--minute", "1s", "--runtime", "container", "--listen"])
        .arg(format!("127.{number}.0.1:4566"))
        .args(["--task-network", &number.to_string(), "--state"])
        .arg(folder.path().join("state"))
        .arg("--stack")
        .arg(stack)
        .env("DOCKER_HOST", format!("unix://{}", engine.display()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut killable = Killable(child.unwrap());
    let address = format!("127.{number}.0.1:4566").parse().unwrap();
    let client = ecs(address);
    eventually("the service is there", async || {
        let found = client.describe_services().cluster(CLUSTER).services("web").send().await;
        found.is_ok_and(|found| !found.services().is_empty())
    })
    .await;
    push_program(address, program(), "a", BTreeMap::new()).await;
    let arn = deploy(&client, "a", blue_green(0)).await;
    until(&client, &arn, "success", |deployment| {
        deployment.status() == Some(&ServiceDeploymentStatus::Successful)
    })
    .await;
    assert_eq!(tasks_of(number).len(), 2);
    killable.0.kill().unwrap();
    killable.0.wait().unwrap();
    eventually("no container is left", async || tasks_of(number).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_engine_the_sandbox_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (number, reserved) = network();
    drop(reserved);
    let config = aws_sandbox::Config {
        runtime: TaskRuntime::Container {
            engine: folder.path().join("none.sock"),
        },
        ..support::config(folder.path(), number)
    };
    let Err(error) = aws_sandbox::Sandbox::start(config).await else {
        panic!("it started without an engine");
    };
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(next) = cause {
        said = format!("{said}: {next}");
        cause = next.source();
    }
    assert!(said.contains("DOCKER_HOST") && said.contains("none.sock"), "{said}");
}

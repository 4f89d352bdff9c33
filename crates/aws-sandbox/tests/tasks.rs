//! One-off tasks: overrides, secrets, logs, exit codes, and why a task could not start.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use aws_sdk_ecs::types::{
    ContainerDefinition, ContainerOverride, KeyValuePair, LogConfiguration, LogDriver, Secret, Task, TaskOverride,
    TaskStopCode,
};
use support::{Bench, CLUSTER, credentials, eventually, region, start};

/// Registers a task definition of one container.
async fn define(bench: &Bench, family: &str, container: aws_sdk_ecs::types::builders::ContainerDefinitionBuilder) {
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", "/ecs/jobs")
        .options("awslogs-region", "eu-central-1")
        .options("awslogs-stream-prefix", "job")
        .build()
        .unwrap();
    let container: ContainerDefinition = container.name("app").log_configuration(log).build();
    bench
        .ecs
        .register_task_definition()
        .family(family)
        .container_definitions(container)
        .send()
        .await
        .unwrap();
}

async fn run(bench: &Bench, family: &str, command: &[&str]) -> Task {
    let changed = ContainerOverride::builder()
        .name("app")
        .set_command(Some(command.iter().map(|&word| word.to_owned()).collect()))
        .environment(KeyValuePair::builder().name("GREETING").value("hello").build())
        .build();
    let overrides = TaskOverride::builder().container_overrides(changed).build();
    let started = bench
        .ecs
        .run_task()
        .cluster(CLUSTER)
        .task_definition(family)
        .overrides(overrides)
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
    bench
        .ecs
        .describe_tasks()
        .cluster(CLUSTER)
        .tasks(arn)
        .send()
        .await
        .unwrap()
        .tasks
        .unwrap()
        .remove(0)
}

fn secrets(bench: &Bench) -> aws_sdk_secretsmanager::Client {
    let config = aws_sdk_secretsmanager::Config::builder()
        .behavior_version(aws_sdk_secretsmanager::config::BehaviorVersion::latest())
        .region(region())
        .endpoint_url(format!("http://{}", bench.address))
        .credentials_provider(credentials())
        .build();
    aws_sdk_secretsmanager::Client::from_conf(config)
}

fn logs(bench: &Bench) -> aws_sdk_cloudwatchlogs::Client {
    let config = aws_sdk_cloudwatchlogs::Config::builder()
        .behavior_version(aws_sdk_cloudwatchlogs::config::BehaviorVersion::latest())
        .region(region())
        .endpoint_url(format!("http://{}", bench.address))
        .credentials_provider(credentials())
        .build();
    aws_sdk_cloudwatchlogs::Client::from_conf(config)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_ends_with_its_exit_code() {
    let bench = start().await;
    bench.push("a", &[]).await;
    define(&bench, "job", ContainerDefinition::builder().image("web:a")).await;
    for (command, code) in [(["exit", "0"], 0), (["exit", "7"], 7)] {
        let ended = run(&bench, "job", &command).await;
        assert_eq!(ended.stop_code(), Some(&TaskStopCode::EssentialContainerExited));
        assert_eq!(ended.stopped_reason(), Some("Essential container in task exited"));
        assert_eq!(ended.containers()[0].exit_code(), Some(code));
        assert!(ended.containers()[0].image_digest().unwrap().starts_with("sha256:"));
    }
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn overrides_and_secrets_reach_the_program_and_what_it_prints_reaches_the_log() {
    let bench = start().await;
    bench.push("a", &[]).await;
    secrets(&bench)
        .create_secret()
        .name("job/token")
        .secret_string("s3cret")
        .send()
        .await
        .unwrap();
    let token = Secret::builder().name("TOKEN").value_from("job/token").build().unwrap();
    define(
        &bench,
        "job",
        ContainerDefinition::builder().image("web:a").secrets(token),
    )
    .await;
    let ended = run(&bench, "job", &["print", "GREETING", "TOKEN"]).await;
    let id = ended.task_arn().unwrap().rsplit('/').next().unwrap();
    let stream = format!("job/app/{id}");
    eventually("both lines are in the log", async || {
        let lines = logs(&bench)
            .get_log_events()
            .log_group_name("/ecs/jobs")
            .log_stream_name(&stream)
            .start_from_head(true)
            .send()
            .await;
        let lines: Vec<_> = lines
            .map(|lines| {
                lines
                    .events()
                    .iter()
                    .filter_map(|event| event.message.clone())
                    .collect()
            })
            .unwrap_or_default();
        lines == ["hello", "s3cret"]
    })
    .await;
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_cannot_start_says_why() {
    let bench = start().await;
    bench.push("a", &[]).await;
    define(&bench, "absent", ContainerDefinition::builder().image("web:nowhere")).await;
    let token = Secret::builder()
        .name("TOKEN")
        .value_from("no/such/secret")
        .build()
        .unwrap();
    define(
        &bench,
        "secretless",
        ContainerDefinition::builder().image("web:a").secrets(token),
    )
    .await;
    define(
        &bench,
        "programless",
        ContainerDefinition::builder()
            .image("web:a")
            .entry_point("/no/such/program"),
    )
    .await;
    for (family, reason) in [
        ("absent", "CannotPullContainerError"),
        ("secretless", "ResourceInitializationError"),
        ("programless", "CannotStartContainerError"),
    ] {
        let ended = run(&bench, family, &["exit", "0"]).await;
        assert_eq!(ended.stop_code(), Some(&TaskStopCode::TaskFailedToStart), "{family}");
        assert!(
            ended.stopped_reason().unwrap().starts_with(reason),
            "{:?}",
            ended.stopped_reason()
        );
        assert!(ended.containers()[0].reason().unwrap().starts_with(reason), "{family}");
    }
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_stopped_by_hand() {
    let bench = start().await;
    bench.push("a", &[]).await;
    define(&bench, "job", ContainerDefinition::builder().image("web:a")).await;
    let started = bench
        .ecs
        .run_task()
        .cluster(CLUSTER)
        .task_definition("job")
        .send()
        .await
        .unwrap();
    let arn = started.tasks()[0].task_arn().unwrap().to_owned();
    eventually("the task runs", async || {
        task(&bench, &arn).await.last_status() == Some("RUNNING")
    })
    .await;
    let running = task(&bench, &arn).await;
    let ip = running.containers()[0].network_interfaces()[0]
        .private_ipv4_address()
        .unwrap()
        .to_owned();
    eventually("the program listens", async || {
        tokio::net::TcpStream::connect(format!("{ip}:3000")).await.is_ok()
    })
    .await;
    bench
        .ecs
        .stop_task()
        .cluster(CLUSTER)
        .task(&arn)
        .reason("enough")
        .send()
        .await
        .unwrap();
    eventually("the task stops", async || {
        task(&bench, &arn).await.last_status() == Some("STOPPED")
    })
    .await;
    let ended = task(&bench, &arn).await;
    assert_eq!(
        (ended.stop_code(), ended.stopped_reason()),
        (Some(&TaskStopCode::UserInitiated), Some("enough"))
    );
    assert_eq!(ended.containers()[0].exit_code(), Some(0), "it had time to say goodbye");
    bench.sandbox.shutdown().await;
}

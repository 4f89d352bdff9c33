//! Health checks of container definitions: asked inside, told by the API, acted upon by the service's scheduler.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use aws_sdk_ecs::types::{ContainerDefinition, HealthCheck, HealthStatus, Task};
use support::{Bench, CLUSTER, eventually, rolling, start};

/// A check that ends with this exit code, every five seconds: Amazon ECS takes none more often.
fn check(code: &str) -> HealthCheck {
    let words = ["CMD", "/app/echo", "exit", code].map(str::to_owned).to_vec();
    let check = HealthCheck::builder().set_command(Some(words)).interval(5).timeout(2);
    check.retries(1).build().unwrap()
}

async fn define(bench: &Bench, family: &str, check: HealthCheck) {
    let container = ContainerDefinition::builder()
        .name("app")
        .image("web:a")
        .health_check(check);
    bench
        .ecs
        .register_task_definition()
        .family(family)
        .container_definitions(container.build())
        .send()
        .await
        .unwrap();
}

async fn run(bench: &Bench, family: &str) -> String {
    let started = bench
        .ecs
        .run_task()
        .cluster(CLUSTER)
        .task_definition(family)
        .send()
        .await;
    started.unwrap().tasks()[0].task_arn().unwrap().to_owned()
}

async fn task(bench: &Bench, arn: &str) -> Task {
    let found = bench.ecs.describe_tasks().cluster(CLUSTER).tasks(arn).send().await;
    found.unwrap().tasks.unwrap().remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_of_a_check_is_told_and_a_task_of_nobody_goes_on() {
    let bench = start().await;
    bench.push("a", &[]).await;
    define(&bench, "well", check("0")).await;
    define(&bench, "ill", check("1")).await;
    let (well, ill) = (run(&bench, "well").await, run(&bench, "ill").await);
    let health = async |arn: &str| task(&bench, arn).await.containers()[0].health_status().cloned();
    assert_eq!(health(&well).await, Some(HealthStatus::UnknownValue));
    eventually("both are judged", async || {
        health(&well).await == Some(HealthStatus::Healthy) && health(&ill).await == Some(HealthStatus::Unhealthy)
    })
    .await;
    // Only a service replaces its tasks.
    assert_eq!(task(&bench, &ill).await.desired_status(), Some("RUNNING"));
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_replaces_a_task_whose_check_fails() {
    let bench = start().await;
    bench.push("a", &[]).await;
    define(&bench, "ill", check("1")).await;
    bench
        .ecs
        .create_service()
        .cluster(CLUSTER)
        .service_name("checked")
        .task_definition("ill")
        .deployment_configuration(rolling())
        .desired_count(1)
        .send()
        .await
        .unwrap();
    eventually("the service says why", async || {
        let found = bench
            .ecs
            .describe_services()
            .cluster(CLUSTER)
            .services("checked")
            .send()
            .await;
        let service = found.unwrap().services.unwrap().remove(0);
        let said = |event: &aws_sdk_ecs::types::ServiceEvent| {
            event
                .message()
                .is_some_and(|text| text.ends_with("failed container health checks."))
        };
        service.events().iter().any(said)
    })
    .await;
    let stopped = bench
        .ecs
        .list_tasks()
        .cluster(CLUSTER)
        .service_name("checked")
        .desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped)
        .send()
        .await
        .unwrap();
    let first = task(&bench, &stopped.task_arns()[0]).await;
    assert_eq!(first.stopped_reason(), Some("Task failed container health checks"));
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_outside_of_the_bounds_is_refused() {
    let bench = start().await;
    let hasty = HealthCheck::builder()
        .command("CMD")
        .command("/app/echo")
        .interval(1)
        .build()
        .unwrap();
    let container = ContainerDefinition::builder()
        .name("app")
        .image("web:a")
        .health_check(hasty);
    let refused = bench
        .ecs
        .register_task_definition()
        .family("hasty")
        .container_definitions(container.build())
        .send()
        .await
        .unwrap_err();
    let refused = refused.into_service_error();
    assert_eq!(
        refused.meta().message(),
        Some("Health check interval of container app must be between 5 and 300.")
    );
    bench.sandbox.shutdown().await;
}

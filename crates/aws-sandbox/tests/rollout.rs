//! Deployments with real processes behind the real proxy, driven by the AWS SDK, under load.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use aws_sdk_ecs::types::{ServiceDeploymentStatus, StopServiceDeploymentStopType};
use support::{CLUSTER, SERVICE, assert_only, blue_green, canary, eventually, rolling, start, watched};

#[tokio::test(flavor = "multi_thread")]
async fn a_release_goes_blue_green_and_users_notice_nothing() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    assert_eq!(
        bench.settle("a").await.status(),
        Some(&ServiceDeploymentStatus::Successful)
    );
    let users = bench.users();
    eventually("users meet a", async || users.look().contains_key("a")).await;
    let ended = bench.settle("b").await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::Successful), "{ended:#?}");
    eventually("users meet b", async || users.look().contains_key("b")).await;
    assert_only(&users.stop().await, &["a", "b"]);
    let service = bench.service().await;
    assert_eq!((service.running_count(), service.deployments().len()), (2, 1));
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_waits_for_an_answer_at_each_step() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    bench.settle("a").await;
    let users = bench.users();
    eventually("users meet a", async || users.look().contains_key("a")).await;
    let arn = bench.deploy("b", canary()).await;
    let first = bench.pause(&arn).await;
    assert_only(&users.take(), &["a"]);
    bench.go_on(&arn, &first).await;
    eventually("some users meet b", async || users.look().contains_key("b")).await;
    let second = bench.pause(&arn).await;
    assert_ne!(first, second);
    let share = users.take();
    assert!(share["a"] > share["b"], "{share:?}");
    bench.go_on(&arn, &second).await;
    let ended = bench.ended(&arn).await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::Successful), "{ended:#?}");
    users.take();
    eventually("users meet b", async || users.look().contains_key("b")).await;
    assert_only(&users.stop().await, &["b"]);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_bake_gives_the_traffic_back_before_it_is_answered() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    bench.settle("a").await;
    let users = bench.users();
    let arn = bench.deploy("b", blue_green(60)).await;
    eventually("users meet b", async || users.look().contains_key("b")).await;
    bench
        .until(&arn, "the bake", |deployment| {
            deployment
                .lifecycle_stage()
                .is_some_and(|stage| stage.as_str() == "BAKE_TIME")
        })
        .await;
    bench
        .ecs
        .stop_service_deployment()
        .service_deployment_arn(&arn)
        .stop_type(StopServiceDeploymentStopType::Rollback)
        .send()
        .await
        .unwrap();
    for _ in 0..50 {
        assert_eq!(bench.ask().await, "a", "whoever asks after the answer meets a");
    }
    let ended = bench.ended(&arn).await;
    assert_eq!(
        ended.status(),
        Some(&ServiceDeploymentStatus::RollbackSuccessful),
        "{ended:#?}"
    );
    assert_only(&users.stop().await, &["a", "b"]);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_crashes_is_taken_back_by_the_circuit_breaker() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("bad", &[("BEHAVIOUR", "crash")]).await;
    bench.settle("a").await;
    let users = bench.users();
    let arn = bench.deploy("bad", blue_green(0)).await;
    let ended = bench.ended(&arn).await;
    assert_eq!(
        ended.status(),
        Some(&ServiceDeploymentStatus::RollbackSuccessful),
        "{ended:#?}"
    );
    assert!(ended.deployment_circuit_breaker().unwrap().failure_count() >= 3);
    let service = bench.service().await;
    assert_eq!(
        service.task_definition(),
        support::primary(&service).task_definition(),
        "it is back with a"
    );
    let again = bench
        .ecs
        .update_service()
        .cluster(CLUSTER)
        .service(SERVICE)
        .task_definition("web")
        .send()
        .await
        .unwrap();
    let again = again.service.unwrap().current_service_deployment.unwrap();
    assert_ne!(again, arn, "the failed release may be tried again");
    bench.ended(&again).await;
    eventually("users meet a", async || users.look().contains_key("a")).await;
    assert_only(&users.stop().await, &["a"]);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_never_gets_healthy_meets_no_user() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("bad", &[("BEHAVIOUR", "sick")]).await;
    bench.settle("a").await;
    let users = bench.users();
    let arn = bench.deploy("bad", blue_green(0)).await;
    let ended = bench.ended(&arn).await;
    assert_eq!(
        ended.status(),
        Some(&ServiceDeploymentStatus::RollbackSuccessful),
        "{ended:#?}"
    );
    let events = bench.service().await;
    let said = |part: &str| {
        events
            .events()
            .iter()
            .any(|event| event.message().is_some_and(|message| message.contains(part)))
    };
    assert!(said("is unhealthy in (target-group"), "{:#?}", events.events());
    eventually("users meet a", async || users.look().contains_key("a")).await;
    assert_only(&users.stop().await, &["a"]);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hotfix_may_start_during_a_bake() {
    let bench = start().await;
    for tag in ["a", "b", "c"] {
        bench.push(tag, &[]).await;
    }
    bench.settle("a").await;
    let users = bench.users();
    let given_up = bench.deploy("b", blue_green(60)).await;
    eventually("users meet b", async || users.look().contains_key("b")).await;
    let arn = bench.deploy("c", blue_green(0)).await;
    let ended = bench.ended(&arn).await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::Successful), "{ended:#?}");
    assert_eq!(
        bench.deployment(&given_up).await.status(),
        Some(&ServiceDeploymentStatus::Stopped)
    );
    eventually("users meet c", async || users.look().contains_key("c")).await;
    assert_only(&users.stop().await, &["a", "b", "c"]);
    assert_eq!(bench.service().await.running_count(), 2);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_update_replaces_tasks_in_place() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    bench.settle("a").await;
    let users = bench.users();
    let arn = bench.deploy("b", rolling()).await;
    let ended = bench.ended(&arn).await;
    assert_eq!(ended.status(), Some(&ServiceDeploymentStatus::Successful), "{ended:#?}");
    users.take();
    eventually("users meet b", async || users.look().contains_key("b")).await;
    assert_only(&users.stop().await, &["b"]);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_dies_is_replaced() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.settle("a").await;
    let before = bench.tasks().await;
    let victim = support::tasks_of(bench.network)[0];
    support::kill(victim);
    eventually("another task runs", async || {
        let now = bench.tasks().await;
        bench.service().await.running_count() == 2 && now.iter().any(|task| !before.contains(task))
    })
    .await;
    let events = bench.service().await;
    assert_eq!(support::primary(&events).failed_tasks(), 1);
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_answers_with_errors_is_taken_back_by_an_alarm() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("bad", &[("BEHAVIOUR", "errors")]).await;
    bench.settle("a").await;
    let users = bench.users();
    let arn = bench.deploy("bad", watched()).await;
    let ended = bench.ended(&arn).await;
    assert_eq!(
        ended.status(),
        Some(&ServiceDeploymentStatus::RollbackSuccessful),
        "{ended:#?}"
    );
    assert_eq!(ended.alarms().unwrap().triggered_alarm_names(), ["web-errors"]);
    let during = users.take();
    assert!(during.keys().any(|answer| answer.starts_with("500")), "{during:?}");
    eventually("users meet a", async || users.look().contains_key("a")).await;
    assert_only(&users.stop().await, &["a"]);
    bench.sandbox.shutdown().await;
}

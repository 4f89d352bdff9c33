//! The door: who may call, faults on demand, regions apart, a disk that takes nothing, a port that is taken.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod support;

use std::time::{Duration, Instant};

use aws_sandbox::{Sandbox, StartError};
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecs::error::{ProvideErrorMetadata as _, SdkError};
use aws_sdk_ecs::operation::list_clusters::ListClustersError;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use support::{Bench, CLUSTER, config, credentials, start};

/// A client that tells its user about every failure instead of trying again.
fn blunt(bench: &Bench, region: &'static str, credentials: Credentials) -> aws_sdk_ecs::Client {
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .endpoint_url(format!("http://{}", bench.address))
        .credentials_provider(credentials)
        .retry_config(RetryConfig::disabled())
        .build();
    aws_sdk_ecs::Client::from_conf(config)
}

async fn ask(bench: &Bench, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (StatusCode, String) {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", bench.address));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = client
        .request(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8_lossy(&body).into_owned())
}

async fn fault(bench: &Bench, fault: &str) {
    let (status, answer) = ask(bench, Method::POST, "/_sandbox/faults", &[], &format!("[{fault}]")).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_happen_as_often_as_they_were_asked_for() {
    let bench = start().await;
    let client = blunt(&bench, "eu-central-1", credentials());
    fault(
        &bench,
        r#"{"on":"ecs:ListClusters","times":1,"effect":{"throttle":true}}"#,
    )
    .await;
    assert_eq!(
        client.list_clusters().send().await.unwrap_err().code(),
        Some("ThrottlingException")
    );
    assert_eq!(client.list_clusters().send().await.unwrap().cluster_arns().len(), 1);
    fault(
        &bench,
        r#"{"on":"ecs:ListClusters","times":1,"effect":{"error":{"code":"ServerException","status":500}}}"#,
    )
    .await;
    assert!(
        client
            .list_clusters()
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_server_exception()
    );
    fault(
        &bench,
        r#"{"on":"ecs:ListClusters","times":1,"effect":{"expired_token":true}}"#,
    )
    .await;
    assert_eq!(
        client.list_clusters().send().await.unwrap_err().code(),
        Some("ExpiredTokenException")
    );
    fault(
        &bench,
        r#"{"on":"ecs:ListClusters","times":1,"effect":{"delay_ms":300}}"#,
    )
    .await;
    let begun = Instant::now();
    client.list_clusters().send().await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300));
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_lost_after_the_effect() {
    let bench = start().await;
    let client = blunt(&bench, "eu-central-1", credentials());
    fault(
        &bench,
        r#"{"on":"ecs:CreateCluster","times":1,"effect":{"drop_response":true}}"#,
    )
    .await;
    let lost = client.create_cluster().cluster_name("made").send().await.unwrap_err();
    assert!(
        matches!(lost, SdkError::DispatchFailure(_) | SdkError::ResponseError(_)),
        "{lost:?}"
    );
    let known = client.list_clusters().send().await.unwrap();
    assert!(
        known.cluster_arns().iter().any(|arn| arn.ends_with("/made")),
        "{known:?}"
    );
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_need_credentials_that_are_not_over() {
    let bench = start().await;
    let (status, answer) = ask(
        &bench,
        Method::POST,
        "/",
        &[("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListClusters")],
        "{}",
    )
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(answer.contains("MissingAuthenticationToken"), "{answer}");
    let expired = Credentials::new("EXPIRED1", "secret", None, None, "test");
    let refused: SdkError<ListClustersError> = blunt(&bench, "eu-central-1", expired)
        .list_clusters()
        .send()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Some("ExpiredTokenException"));
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_know_nothing_of_each_other() {
    let bench = start().await;
    let here = blunt(&bench, "eu-central-1", credentials())
        .list_clusters()
        .send()
        .await
        .unwrap();
    let there = blunt(&bench, "us-east-1", credentials())
        .list_clusters()
        .send()
        .await
        .unwrap();
    assert_eq!((here.cluster_arns().len(), there.cluster_arns().len()), (1, 0));
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_is_not_acknowledged() {
    let bench = start().await;
    let client = blunt(&bench, "eu-central-1", credentials());
    // A folder in the place of the temporary file stops even root, as a full disk would.
    let obstacle = bench.folder.path().join("ecs.json.new");
    std::fs::create_dir(&obstacle).unwrap();
    let refused = client.create_cluster().cluster_name("made").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InternalFailure"));
    assert!(
        refused
            .message()
            .unwrap()
            .starts_with("the sandbox cannot write its state: "),
        "{refused:?}"
    );
    assert!(
        client.describe_clusters().clusters(CLUSTER).send().await.is_ok(),
        "looking still works"
    );
    std::fs::remove_dir(&obstacle).unwrap();
    client.create_cluster().cluster_name("made").send().await.unwrap();
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sandbox_says_what_is_in_its_way() {
    let bench = start().await;
    let same_port = Sandbox::start(config(tempfile::tempdir().unwrap().path(), bench.network)).await;
    assert!(matches!(same_port, Err(StartError::PortTaken { address }) if address == bench.address));
    let same_state = Sandbox::start(config(bench.folder.path(), bench.network))
        .await
        .err()
        .unwrap();
    assert!(matches!(same_state, StartError::StateInUse { .. }), "{same_state:?}");
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_applied_twice_changes_nothing() {
    let bench = start().await;
    bench.push("a", &[]).await;
    bench.push("b", &[]).await;
    bench.settle("a").await;
    let before = bench.service().await;
    bench.sandbox.apply_stack(&support::stack()).await.unwrap();
    let after = bench.service().await;
    assert_eq!(
        (before.task_definition(), before.events().len()),
        (after.task_definition(), after.events().len())
    );
    bench.sandbox.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_and_unknown_ones_refused() {
    let bench = start().await;
    let client = blunt(&bench, "eu-central-1", credentials());
    client.list_clusters().send().await.unwrap();
    client.list_clusters().send().await.unwrap();
    let unknown = client.list_account_settings().send().await.unwrap_err();
    assert_eq!(unknown.code(), Some("UnknownOperationException"));
    let (_, calls) = ask(&bench, Method::GET, "/_sandbox/calls", &[], "").await;
    assert!(calls.contains(r#""ecs:ListClusters": 2"#), "{calls}");
    let (status, _) = ask(
        &bench,
        Method::POST,
        "/_sandbox/stop",
        &[("origin", "http://elsewhere.example")],
        "",
    )
    .await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a web page cannot stop it");
    bench.sandbox.shutdown().await;
}

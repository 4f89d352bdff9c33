use std::sync::Arc;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::config::{BehaviorVersion, Config, Region};
use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata as _;
use aws_sdk_cloudwatchlogs::types::InputLogEvent;

use super::*;
use crate::loopback::{ACCOUNT, REGION, credentials, serve};

async fn service(dir: &StateDir) -> (Client, Arc<Logs>) {
    let logs = Arc::new(Logs::open(dir, ACCOUNT).unwrap());
    let answering = Arc::clone(&logs);
    let endpoint = serve(move |call| {
        let logs = Arc::clone(&answering);
        async move { logs.answer(&call) }
    })
    .await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .endpoint_url(endpoint);
    (Client::from_conf(config.build()), logs)
}

#[tokio::test]
async fn what_a_task_printed_can_be_read_paged_and_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let (client, logs) = service(&StateDir::open(folder.path()).unwrap()).await;
    let start = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    for n in 0..5 {
        let level = if n == 3 { "ERROR" } else { "INFO" };
        logs.append(
            REGION,
            "/ecs/web",
            "web/app/1",
            start + time::Duration::seconds(n),
            format!("{level} line {n}"),
        );
    }
    logs.append(
        REGION,
        "/ecs/web",
        "web/app/2",
        start + time::Duration::milliseconds(2500),
        "INFO other task".to_owned(),
    );

    let get = || {
        client
            .get_log_events()
            .log_group_name("/ecs/web")
            .log_stream_name("web/app/1")
    };
    let newest = get().limit(2).send().await.unwrap();
    let texts = |events: &[aws_sdk_cloudwatchlogs::types::OutputLogEvent]| {
        events
            .iter()
            .map(|event| event.message().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(newest.events()), ["ERROR line 3", "INFO line 4"]);
    let earlier = get()
        .limit(2)
        .next_token(newest.next_backward_token().unwrap())
        .send()
        .await
        .unwrap();
    assert_eq!(texts(earlier.events()), ["INFO line 1", "INFO line 2"]);
    let end = get()
        .next_token(newest.next_forward_token().unwrap())
        .send()
        .await
        .unwrap();
    assert!(end.events().is_empty());
    assert_eq!(
        end.next_forward_token(),
        newest.next_forward_token(),
        "the same token again ends a client's loop"
    );
    let pages = get()
        .start_from_head(true)
        .limit(2)
        .into_paginator()
        .send()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(pages.iter().map(|page| page.events().len()).sum::<usize>(), 5);

    let filter = || client.filter_log_events().log_group_name("/ecs/web");
    let errors = filter().filter_pattern("ERROR").send().await.unwrap();
    assert_eq!(errors.events()[0].message(), Some("ERROR line 3"));
    let mixed = filter()
        .start_time(1_700_000_002_000)
        .end_time(1_700_000_004_000)
        .send()
        .await
        .unwrap();
    let streams: Vec<_> = mixed
        .events()
        .iter()
        .filter_map(|event| event.log_stream_name())
        .collect();
    assert_eq!(
        streams,
        ["web/app/1", "web/app/2", "web/app/1"],
        "streams are interleaved by time"
    );
}

#[tokio::test]
async fn groups_and_streams_survive_a_restart_until_they_are_deleted() {
    let folder = tempfile::tempdir().unwrap();
    {
        let dir = StateDir::open(folder.path()).unwrap();
        let (client, _) = service(&dir).await;
        client.create_log_group().log_group_name("g").send().await.unwrap();
        let twice = client.create_log_group().log_group_name("g").send().await.unwrap_err();
        assert!(twice.as_service_error().unwrap().is_resource_already_exists_exception());
        client
            .put_retention_policy()
            .log_group_name("g")
            .retention_in_days(7)
            .send()
            .await
            .unwrap();
        client
            .create_log_stream()
            .log_group_name("g")
            .log_stream_name("s")
            .send()
            .await
            .unwrap();
        let event = InputLogEvent::builder().timestamp(1).message("kept").build().unwrap();
        client
            .put_log_events()
            .log_group_name("g")
            .log_stream_name("s")
            .log_events(event)
            .send()
            .await
            .unwrap();
        dir.save().unwrap();
    }
    let (client, _) = service(&StateDir::open(folder.path()).unwrap()).await;
    let groups = client
        .describe_log_groups()
        .log_group_name_prefix("g")
        .send()
        .await
        .unwrap();
    assert_eq!(groups.log_groups()[0].retention_in_days(), Some(7));
    let streams = client.describe_log_streams().log_group_name("g").send().await.unwrap();
    assert_eq!(streams.log_streams()[0].last_event_timestamp(), Some(1));
    let events = client
        .get_log_events()
        .log_group_name("g")
        .log_stream_name("s")
        .send()
        .await
        .unwrap();
    assert_eq!(events.events()[0].message(), Some("kept"));
    client.delete_log_group().log_group_name("g").send().await.unwrap();
    let gone = client
        .get_log_events()
        .log_group_name("g")
        .log_stream_name("s")
        .send()
        .await
        .unwrap_err();
    assert_eq!(gone.code(), Some("ResourceNotFoundException"));
}

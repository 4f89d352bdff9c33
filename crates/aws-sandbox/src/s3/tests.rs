use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Config, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use futures_util::future::join_all;

use super::*;
use crate::loopback::{REGION, credentials, serve};

async fn client(folder: &std::path::Path) -> Client {
    let s3 = S3::open(folder).unwrap();
    s3.ensure_bucket(REGION, "records").unwrap();
    let endpoint = serve(move |call| {
        let s3 = s3.clone();
        async move { s3.answer(&call).await }
    })
    .await;
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(credentials())
        .force_path_style(true)
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

fn body(text: &'static str) -> ByteStream {
    ByteStream::from_static(text.as_bytes())
}

async fn text(client: &Client, key: &str) -> String {
    let object = client.get_object().bucket("records").key(key).send().await.unwrap();
    String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap()
}

#[tokio::test]
async fn an_object_comes_back_as_it_was_put_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let before = client(folder.path()).await;
    let key = "a/../b c/ü&<>.json";
    let put = before
        .put_object()
        .bucket("records")
        .key(key)
        .content_type("application/json")
        .metadata("owner", "me")
        .body(body("{\"a\":1}"));
    let put = put.send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"bb6cb5c68df4652941caf652a366f2d8\""));

    let after = client(folder.path()).await;
    assert_eq!(text(&after, key).await, "{\"a\":1}");
    let head = after.head_object().bucket("records").key(key).send().await.unwrap();
    assert_eq!(head.content_length(), Some(7));
    assert_eq!(head.content_type(), Some("application/json"));
    assert_eq!(head.metadata().unwrap()["owner"], "me");
    let range = after
        .get_object()
        .bucket("records")
        .key(key)
        .range("bytes=-3")
        .send()
        .await
        .unwrap();
    assert_eq!(range.content_range(), Some("bytes 4-6/7"));
    assert_eq!(range.body.collect().await.unwrap().to_vec(), b":1}");
    let unsatisfiable = after
        .get_object()
        .bucket("records")
        .key(key)
        .range("bytes=7-")
        .send()
        .await
        .unwrap_err();
    assert_eq!(unsatisfiable.code(), Some("InvalidRange"));
    let fresh = after
        .get_object()
        .bucket("records")
        .key(key)
        .if_none_match(put.e_tag().unwrap())
        .send()
        .await;
    assert_eq!(fresh.unwrap_err().raw_response().unwrap().status().as_u16(), 304);
    assert!(
        after
            .head_object()
            .bucket("records")
            .key("absent")
            .send()
            .await
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_not_found()
    );
    let absent = after
        .get_object()
        .bucket("absent-bucket")
        .key("x")
        .send()
        .await
        .unwrap_err();
    assert_eq!(absent.code(), Some("NoSuchBucket"));
}

#[tokio::test]
async fn of_parallel_conditional_puts_exactly_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    // No two bodies are the same, and so no two ETags: an equal one would rightly satisfy `If-Match` again.
    let attempts = |round: u8, expected: Option<String>| {
        let client = &client;
        (0..16).map(move |n: u8| {
            let put = client
                .put_object()
                .bucket("records")
                .key("lock")
                .body(vec![round, n].into());
            let put = match &expected {
                None => put.if_none_match("*"),
                Some(etag) => put.if_match(etag),
            };
            put.send()
        })
    };
    let mut expected = None;
    for round in 0..5 {
        let outcomes = join_all(attempts(round, expected.take())).await;
        for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
            assert!(
                matches!(
                    refused.code(),
                    Some("PreconditionFailed" | "ConditionalRequestConflict")
                ),
                "{refused:?}"
            );
        }
        let mut winners = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok());
        expected = winners.next().and_then(|winner| winner.e_tag().map(str::to_owned));
        assert!(expected.is_some(), "nobody won round {round}");
        assert!(winners.next().is_none(), "two won round {round}");
        let held = client.head_object().bucket("records").key("lock").send().await.unwrap();
        assert_eq!(held.e_tag().map(str::to_owned), expected, "the loser's data is there");
    }
}

#[tokio::test]
async fn conditions_on_absent_and_changed_objects_fail_as_aws_says() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    let put = || client.put_object().bucket("records").key("k").body(body("1"));
    let delete = |etag: &str| client.delete_object().bucket("records").key("k").if_match(etag).send();
    assert_eq!(
        put().if_match("\"x\"").send().await.unwrap_err().code(),
        Some("NoSuchKey")
    );
    let etag = put().if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(
        put().if_none_match("*").send().await.unwrap_err().code(),
        Some("PreconditionFailed")
    );
    assert_eq!(
        put().if_match("\"x\"").send().await.unwrap_err().code(),
        Some("PreconditionFailed")
    );
    put().if_match(&etag).send().await.unwrap();
    assert_eq!(delete("\"x\"").await.unwrap_err().code(), Some("PreconditionFailed"));
    delete(&etag).await.unwrap();
    assert_eq!(delete("*").await.unwrap_err().code(), Some("PreconditionFailed"));
    client.delete_object().bucket("records").key("k").send().await.unwrap();
}

#[tokio::test]
async fn listings_have_prefixes_delimiters_and_pages() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    for key in ["a", "b/1", "b/2", "b/c/3", "d/4", "e"] {
        client
            .put_object()
            .bucket("records")
            .key(key)
            .body(body(key))
            .send()
            .await
            .unwrap();
    }
    let list = |prefix: &str| client.list_objects_v2().bucket("records").prefix(prefix).max_keys(2);
    let mut seen = Vec::new();
    let mut pages = list("").delimiter("/").into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.key_count().unwrap() <= 2);
        seen.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        seen.extend(
            page.common_prefixes()
                .iter()
                .map(|common| common.prefix().unwrap().to_owned()),
        );
    }
    seen.sort();
    assert_eq!(seen, ["a", "b/", "d/", "e"]);
    let below = list("b/").send().await.unwrap();
    assert_eq!(below.is_truncated(), Some(true));
    let keys: Vec<_> = below.contents().iter().filter_map(|object| object.key()).collect();
    assert_eq!(keys, ["b/1", "b/2"]);
    let after = client
        .list_objects_v2()
        .bucket("records")
        .start_after("b/2")
        .send()
        .await
        .unwrap();
    assert_eq!(after.contents()[0].key(), Some("b/c/3"));

    let ids = ["a", "b/1"].map(|key| ObjectIdentifier::builder().key(key).build().unwrap());
    let delete = Delete::builder().set_objects(Some(ids.to_vec())).build().unwrap();
    let deleted = client
        .delete_objects()
        .bucket("records")
        .delete(delete)
        .send()
        .await
        .unwrap();
    assert_eq!(deleted.deleted().len(), 2);
    let full = client.delete_bucket().bucket("records").send().await.unwrap_err();
    assert_eq!(full.code(), Some("BucketNotEmpty"));
}

#[tokio::test]
async fn a_multipart_upload_is_put_together_in_the_order_of_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    let upload = client
        .create_multipart_upload()
        .bucket("records")
        .key("big")
        .send()
        .await
        .unwrap();
    let id = upload.upload_id().unwrap();
    let mut completed = CompletedMultipartUpload::builder();
    for (number, size) in [(1, 5 * 1024 * 1024), (2, 10)] {
        let data = vec![u8::try_from(number).unwrap(); size];
        let part = client
            .upload_part()
            .bucket("records")
            .key("big")
            .upload_id(id)
            .part_number(number)
            .body(data.into());
        let etag = part.send().await.unwrap().e_tag.unwrap();
        completed = completed.parts(CompletedPart::builder().part_number(number).e_tag(etag).build());
    }
    let complete = || {
        client
            .complete_multipart_upload()
            .bucket("records")
            .key("big")
            .upload_id(id)
    };
    let completed = completed.build();
    let done = complete().multipart_upload(completed.clone()).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    let data = client
        .get_object()
        .bucket("records")
        .key("big")
        .send()
        .await
        .unwrap()
        .body
        .collect()
        .await
        .unwrap()
        .to_vec();
    assert_eq!(data.len(), 5 * 1024 * 1024 + 10);
    assert_eq!((data[0], data[data.len() - 1]), (1, 2));
    let again = complete().multipart_upload(completed).send().await.unwrap_err();
    assert_eq!(again.code(), Some("NoSuchUpload"));
}

#[tokio::test]
async fn a_copy_keeps_or_replaces_the_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    client
        .put_object()
        .bucket("records")
        .key("from")
        .metadata("a", "1")
        .body(body("x"))
        .send()
        .await
        .unwrap();
    client
        .copy_object()
        .bucket("records")
        .key("to")
        .copy_source("records/from")
        .send()
        .await
        .unwrap();
    let head = client.head_object().bucket("records").key("to").send().await.unwrap();
    assert_eq!(head.metadata().unwrap()["a"], "1");
    assert_eq!(text(&client, "to").await, "x");
}

/// A signed URL as a client would hold it, for keys whose secret the sandbox knows.
async fn signed(client: &Client, key: &str, secret: &'static str, lasts: u64) -> String {
    let keys = aws_credential_types::Credentials::new("sandbox", secret, None, None, "unit test");
    let config = client.config().to_builder().credentials_provider(keys).build();
    let lasts = PresigningConfig::expires_in(std::time::Duration::from_secs(lasts)).unwrap();
    let request = Client::from_conf(config)
        .get_object()
        .bucket("records")
        .key(key)
        .response_content_disposition("attachment; filename=\"a b.txt\"")
        .presigned(lasts)
        .await
        .unwrap();
    request.uri().to_owned()
}

/// Status line and all that follows.
async fn fetched(url: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {authority}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The URLs are made by AWS's own signer.
#[tokio::test]
async fn a_signed_url_opens_what_it_was_signed_for_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    for key in ["a b/ü.txt", "other"] {
        client
            .put_object()
            .bucket("records")
            .key(key)
            .body(body("hello"))
            .send()
            .await
            .unwrap();
    }
    let good = signed(&client, "a b/ü.txt", "sandbox", 60).await;
    let answer = fetched(&good).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
    assert!(
        answer.contains("content-disposition: attachment; filename=\"a b.txt\""),
        "{answer}"
    );
    for (url, code) in [
        (signed(&client, "other", "wrong", 60).await, "SignatureDoesNotMatch"),
        (good.replace("/a%20b/%C3%BC.txt", "/other"), "SignatureDoesNotMatch"),
        (good.replace("attachment", "inline"), "SignatureDoesNotMatch"),
        (
            good.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
            "SignatureDoesNotMatch",
        ),
        (
            good.replace("X-Amz-Expires=60", "X-Amz-Expires=604801"),
            "AuthorizationQueryParametersError",
        ),
        (
            good.replace("&X-Amz-Expires=60", ""),
            "AuthorizationQueryParametersError",
        ),
        (
            good.replace("SignedHeaders=host", "SignedHeaders=range"),
            "AccessDenied",
        ),
    ] {
        let answer = fetched(&url).await;
        assert!(answer.contains(&format!("<Code>{code}</Code>")), "{url}\n{answer}");
    }
}

#[tokio::test]
async fn a_signed_url_ends() {
    let folder = tempfile::tempdir().unwrap();
    let client = client(folder.path()).await;
    let url = signed(&client, "key", "sandbox", 60).await;
    let (_, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let host = url.strip_prefix("http://").unwrap().split('/').next().unwrap();
    let request = http::Request::get(format!("/{path}")).header("host", host);
    let call = Call {
        region: REGION.to_owned(),
        account: crate::loopback::ACCOUNT.to_owned(),
        operation: "GetObject".to_owned(),
        request_id: "1".to_owned(),
        parts: request.body(()).unwrap().into_parts().0,
        body: bytes::Bytes::new(),
    };
    let now = time::OffsetDateTime::now_utc();
    let outcome = |after: i64| {
        presigned::check(&call, now + time::Duration::seconds(after)).map_err(|error| error.message().to_owned())
    };
    assert_eq!(outcome(30), Ok(()));
    assert_eq!(outcome(120), Err("Request has expired".to_owned()));
    assert_eq!(outcome(-3600), Err("Request is not yet valid".to_owned()));
}

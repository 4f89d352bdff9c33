//! Where attachments are kept: the S3 of a sandbox, which checks signed URLs as S3 does.

use std::{
    net::{Ipv4Addr, SocketAddrV4, TcpListener},
    sync::Arc,
};

use aws_sandbox::{Config, Sandbox, StartError};
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::{HeaderMap, Method, Request, StatusCode};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use tempfile::TempDir;

use crate::line::within;

/// A bucket; gone when it is dropped.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) endpoint: String,
    _sandbox: Arc<(Sandbox, TempDir)>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Any of the four that S3 has for a signed header that is not as it was signed.
pub(crate) const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;

pub(crate) async fn start() -> Store {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = loop {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = Config {
            listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, free),
            ..Config::new(folder.path())
        };
        match Sandbox::start(config).await {
            Ok(sandbox) => break sandbox,
            // Somebody else was quicker.
            Err(StartError::PortTaken { .. }) => {}
            Err(other) => panic!("{other}: {:?}", std::error::Error::source(&other)),
        }
    };
    let endpoint = format!("http://{}", sandbox.address());
    let request = Request::put(format!("{endpoint}/files")).header(
        "authorization",
        "AWS4-HMAC-SHA256 Credential=sandbox/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0",
    );
    let made = send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(made.status, 200, "{made:?}");
    Store {
        endpoint,
        _sandbox: Arc::new((sandbox, folder)),
    }
}

impl Store {
    /// Secrets Manager beside it.
    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        use aws_sdk_secretsmanager::config::{BehaviorVersion, Builder, Credentials, Region};
        let config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(&self.endpoint)
            .credentials_provider(Credentials::new("operator", "sandbox", None, None, "test"));
        aws_sdk_secretsmanager::Client::from_conf(config.build())
    }

    /// For `instance::start`.
    pub(crate) fn flags(&self) -> String {
        format!("--attachments-bucket files --s3-endpoint {}", self.endpoint)
    }
}

/// A PUT as the answer to an announcement says.
pub(crate) async fn put(upload: &Value, body: &'static [u8]) -> Response {
    put_as(upload, body, &[]).await
}

/// As `put`, with some headers changed.
pub(crate) async fn put_as(upload: &Value, body: &'static [u8], changed: &[(&str, &str)]) -> Response {
    let mut request = Request::builder()
        .method(Method::PUT)
        .uri(upload["url"].as_str().unwrap());
    for (name, value) in upload["headers"].as_object().unwrap() {
        let changed = changed.iter().find(|(other, _)| other == name);
        let value = changed.map_or(value.as_str().unwrap(), |(_, value)| *value);
        if name != "content-length" && !value.is_empty() {
            request = request.header(name, value);
        }
    }
    send(request.body(Body::from(body)).unwrap()).await
}

pub(crate) async fn get(url: &str) -> Response {
    send(Request::get(url).body(Body::empty()).unwrap()).await
}

async fn send(request: Request<Body>) -> Response {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let exchange = async {
        let (parts, body) = client.request(request).await.unwrap().into_parts();
        Response {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    };
    within(exchange).await
}

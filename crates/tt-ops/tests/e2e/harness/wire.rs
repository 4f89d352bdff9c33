//! HTTP to the sandbox: its own endpoints, calls as an AWS client makes them, and requests as users make them.

use std::{net::Ipv4Addr, time::Duration};

use reqwest::{Client, RequestBuilder};
use serde_json::Value;

/// One of the sandbox's own endpoints.
#[track_caller]
pub(crate) fn admin(ip: Ipv4Addr, method: &str, name: &str, body: &str) -> Value {
    let method = method.parse().unwrap();
    let request = |client: Client| {
        client
            .request(method, format!("http://{ip}:4566/_sandbox/{name}"))
            .body(body.to_owned())
    };
    let (status, text, _) = send(request).unwrap();
    assert_eq!(status, 200, "{name}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// A call in the Query protocol.
#[track_caller]
pub(crate) fn query(ip: Ipv4Addr, service: &str, form: &str) -> String {
    signed(
        ip,
        service,
        &[("content-type", "application/x-www-form-urlencoded")],
        form,
    )
}

/// A call of ECS, which speaks JSON.
#[track_caller]
pub(crate) fn ecs(ip: Ipv4Addr, operation: &str, input: &Value) -> Value {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
    ];
    serde_json::from_str(&signed(ip, "ecs", &headers, &input.to_string())).unwrap()
}

/// The sandbox checks no signature; the scope tells it the region and the service.
#[track_caller]
fn signed(ip: Ipv4Addr, service: &str, headers: &[(&str, &str)], body: &str) -> String {
    let credential = format!("Credential=sandbox/20260101/eu-central-1/{service}/aws4_request");
    let request = |client: Client| {
        let authorization = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0");
        let request = client
            .post(format!("http://{ip}:4566/"))
            .header("authorization", authorization)
            .body(body.to_owned());
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let (status, text, _) = send(request).unwrap();
    assert_eq!(status, 200, "{service}, {body}: {text}");
    text
}

/// The release that answers a user, or what the load balancer says instead.
pub(crate) fn release(ip: Ipv4Addr) -> String {
    match send(|client| client.get(format!("http://{ip}:8080/livez"))) {
        Ok((200, _, release)) => release,
        Ok((status, ..)) => format!("status {status}"),
        Err(error) => error.to_string(),
    }
}

/// The texts of all elements of this name.
pub(crate) fn elements<'a>(xml: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let begun: Vec<&str> = xml.split(&open).skip(1).collect();
    begun
        .into_iter()
        .filter_map(move |rest| rest.split_once(&close).map(|(text, _)| text))
}

/// The text of the first of them.
#[track_caller]
pub(crate) fn element(xml: &str, name: &str) -> String {
    elements(xml, name)
        .next()
        .unwrap_or_else(|| panic!("no {name} in {xml}"))
        .to_owned()
}

/// Status, body and `x-release` of the answer.
fn send(request: impl FnOnce(Client) -> RequestBuilder) -> reqwest::Result<(u16, String, String)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(30)).build()?;
        let answer = request(client).send().await?;
        let release = answer
            .headers()
            .get("x-release")
            .and_then(|value| value.to_str().ok())
            .unwrap_or("no release")
            .to_owned();
        Ok((answer.status().as_u16(), answer.text().await?, release))
    })
}

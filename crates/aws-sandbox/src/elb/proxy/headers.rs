//! Which headers pass, which stay and which the load balancer adds (Elastic Load Balancing, "HTTP headers and Application Load Balancers").

use std::fmt::Display;
use std::net::Ipv4Addr;
use std::time::SystemTime;

use http::header::{self, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Uri, Version};
use rand::Rng as _;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Headers that belong to one connection, not to the message (RFC 9110, 7.6.1). `TE: trailers` does too, but gRPC asks for it.
const HOP_BY_HOP: [HeaderName; 6] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The host a request is for: its Host header or, when it came with a full URI, that one's.
pub(super) fn host<B>(request: &Request<B>) -> &str {
    let header = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    request
        .uri()
        .authority()
        .map(http::uri::Authority::as_str)
        .or(header)
        .unwrap_or_default()
}

/// The protocol a client asks to switch to.
pub(super) fn upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let asked = connection_tokens(headers).any(|token| token.eq_ignore_ascii_case("upgrade"));
    headers.get(header::UPGRADE).filter(|_| asked).cloned()
}

/// Turns a client's request into the one its target gets.
pub(super) fn to_target(parts: &mut Parts, client: Ipv4Addr, port: u16) {
    if let Some(authority) = parts.uri.authority()
        && let Ok(host) = HeaderValue::from_str(authority.as_str())
    {
        parts.headers.insert(header::HOST, host);
    }
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = Uri::try_from(path).unwrap_or_default();
    parts.version = Version::HTTP_11;
    without_hop_by_hop(&mut parts.headers);
    // The client has its "100 Continue" from hyper as soon as its body is read.
    parts.headers.remove(header::EXPECT);
    let before = parts.headers.get(&FORWARDED_FOR).and_then(|value| value.to_str().ok());
    let forwarded_for = before.map_or_else(|| client.to_string(), |before| format!("{before}, {client}"));
    set(&mut parts.headers, FORWARDED_FOR, forwarded_for);
    parts.headers.insert(FORWARDED_PROTO, HeaderValue::from_static("http"));
    set(&mut parts.headers, FORWARDED_PORT, port);
    let trace = trace_id(parts.headers.get(&TRACE_ID).and_then(|value| value.to_str().ok()));
    set(&mut parts.headers, TRACE_ID, trace);
    if !parts.headers.contains_key(header::HOST) {
        parts
            .headers
            .insert(header::HOST, HeaderValue::from_static("localhost"));
    }
}

/// Puts back what makes a request an upgrade.
pub(super) fn ask_for_upgrade(headers: &mut HeaderMap, protocol: &HeaderValue) {
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, protocol.clone());
}

/// Removes from a target's answer what was meant for the load balancer; adds nothing.
pub(super) fn to_client(headers: &mut HeaderMap) {
    without_hop_by_hop(headers);
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_tokens(headers)
        .filter_map(|token| token.parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn connection_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(header::CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: impl Display) {
    if let Ok(value) = HeaderValue::from_str(&value.to_string()) {
        headers.insert(name, value);
    }
}

/// "If the X-Amzn-Trace-Id header is present and has a Root field, the load balancer inserts a Self field" (Elastic Load
/// Balancing, "Request tracing for your Application Load Balancer"); otherwise it begins a trace.
fn trace_id(before: Option<&str>) -> String {
    let id = {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let random = rand::rng().random::<u128>() >> 32;
        format!("1-{now:08x}-{random:024x}")
    };
    match before {
        None => format!("Root={id}"),
        Some(before) if before.split(';').any(|field| field.trim_start().starts_with("Root=")) => {
            let kept: Vec<&str> = before
                .split(';')
                .filter(|field| !field.trim_start().starts_with("Self="))
                .collect();
            format!("Self={id};{}", kept.join(";"))
        }
        Some(before) => format!("Root={id};{before}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: http::request::Builder) -> Parts {
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        to_target(&mut parts, Ipv4Addr::new(127, 0, 0, 9), 8080);
        parts
    }

    #[test]
    fn hop_by_hop_headers_stay_and_forwarded_ones_are_added() {
        let parts = sent(
            Request::get("http://tasks.example.com/a?b=c")
                .header("connection", "keep-alive, X-Private")
                .header("keep-alive", "timeout=5")
                .header("x-private", "1")
                .header("x-forwarded-for", "10.0.0.1")
                .header("x-forwarded-proto", "https")
                .header("cookie", "kept"),
        );
        assert_eq!(parts.uri, "/a?b=c");
        assert_eq!(parts.headers[header::HOST], "tasks.example.com");
        assert_eq!(parts.headers["x-forwarded-for"], "10.0.0.1, 127.0.0.9");
        assert_eq!(parts.headers["x-forwarded-proto"], "http");
        assert_eq!(parts.headers["x-forwarded-port"], "8080");
        assert_eq!(parts.headers["cookie"], "kept");
        for gone in ["connection", "keep-alive", "x-private"] {
            assert!(!parts.headers.contains_key(gone), "{gone}");
        }
    }

    #[test]
    fn a_trace_is_begun_or_continued() {
        let begun = trace_id(None);
        assert!(
            begun.starts_with("Root=1-") && begun.len() == "Root=1-".len() + 8 + 1 + 24,
            "{begun}"
        );
        let continued = trace_id(Some("Self=old;Root=1-2-3;Sampled=1"));
        assert!(
            continued.starts_with("Self=1-") && continued.ends_with(";Root=1-2-3;Sampled=1"),
            "{continued}"
        );
        assert!(trace_id(Some("Sampled=1")).ends_with(";Sampled=1"));
    }

    #[test]
    fn an_upgrade_needs_both_headers() {
        let mut headers = HeaderMap::new();
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        assert_eq!(upgrade(&headers), None);
        headers.insert(header::CONNECTION, HeaderValue::from_static("keep-alive, Upgrade"));
        assert_eq!(upgrade(&headers).unwrap(), "websocket");
    }
}

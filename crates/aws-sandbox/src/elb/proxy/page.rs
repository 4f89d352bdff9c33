//! Answers that the load balancer gives itself.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{Either, Full};

use super::Body;
use crate::elb::condition::Seen;
use crate::elb::model::Redirect;

/// The short HTML page of an error, as ALB writes it.
pub(super) fn of(status: StatusCode) -> Response<Body> {
    let title = format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
    let html = format!(
        "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    page(status, HeaderValue::from_static("text/html"), html)
}

/// What a fixed-response action says.
pub(super) fn fixed(status: u16, content_type: Option<&str>, body: Option<&str>) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let content_type = content_type.and_then(|text| HeaderValue::from_str(text).ok());
    let content_type = content_type.unwrap_or(HeaderValue::from_static("text/plain; charset=utf-8"));
    page(status, content_type, body.unwrap_or_default().to_owned())
}

/// Where a redirect action sends the client.
pub(super) fn redirect(to: &Redirect, seen: &Seen<'_>, port: u16) -> Response<Body> {
    let mut response = of(StatusCode::from_u16(to.status).unwrap_or(StatusCode::FOUND));
    if let Ok(location) = HeaderValue::from_str(&location(to, seen, port)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

fn location(to: &Redirect, seen: &Seen<'_>, port: u16) -> String {
    let fill = |template: &str| {
        template
            .replace("#{protocol}", "http")
            .replace("#{host}", seen.host)
            .replace("#{port}", &port.to_string())
            .replace("#{path}", seen.path.trim_start_matches('/'))
            .replace("#{query}", seen.query)
    };
    let query = fill(&to.query);
    let mark = if query.is_empty() { "" } else { "?" };
    format!(
        "{}://{}:{}{}{mark}{query}",
        fill(&to.protocol).to_lowercase(),
        fill(&to.host),
        fill(&to.port),
        fill(&to.path)
    )
}

fn page(status: StatusCode, content_type: HeaderValue, body: String) -> Response<Body> {
    let mut response = Response::new(Either::Right(Full::new(Bytes::from(body))));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::SERVER, HeaderValue::from_static("awselb/2.0"));
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};
    use std::net::Ipv4Addr;

    #[test]
    fn a_redirect_keeps_the_parts_it_names() {
        let to = Redirect {
            protocol: String::from("HTTPS"),
            host: String::from("#{host}"),
            port: String::from("443"),
            path: String::from("/v2/#{path}"),
            query: String::from("#{query}"),
            status: 301,
        };
        let seen = Seen {
            method: &Method::GET,
            host: "tasks.example.com",
            path: "/a/b",
            query: "c=d",
            headers: &HeaderMap::new(),
            from: Ipv4Addr::LOCALHOST,
        };
        let response = redirect(&to, &seen, 80);
        assert_eq!(response.status(), 301);
        assert_eq!(
            response.headers()[header::LOCATION],
            "https://tasks.example.com:443/v2/a/b?c=d"
        );
    }
}

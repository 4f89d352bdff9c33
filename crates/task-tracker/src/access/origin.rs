//! Whether a browser sent this request on behalf of another site (cross-site request forgery).
//!
//! Goes by what browsers say and scripts cannot forge: Sec-Fetch-Site (W3C Fetch Metadata Request Headers), and Origin
//! where that is missing. A client that sends neither is no browser, and holds its credentials itself.

use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};

/// Whether a request of this method with these headers may change anything.
pub(crate) fn is_trusted(method: &Method, headers: &HeaderMap) -> bool {
    if is_safe(method) {
        return true;
    }
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    match headers.get(header::ORIGIN) {
        Some(origin) => is_here(origin, headers.get(header::HOST)),
        None => true,
    }
}

/// RFC 9110, 9.2.1.
pub(crate) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn is_here(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let authority = |value: &HeaderValue| {
        let uri: Uri = value.to_str().ok()?.parse().ok()?;
        uri.authority().map(|authority| authority.as_str().to_ascii_lowercase())
    };
    match (authority(origin), host.and_then(authority)) {
        (Some(origin), Some(host)) => origin == host,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_browser_on_our_own_page_may_change_things() {
        let host = ("host", "tasks.example.com");
        for (headers, trusted) in [
            (&[host][..], true),
            (&[host, ("sec-fetch-site", "same-origin")], true),
            (&[host, ("sec-fetch-site", "none")], true),
            (&[host, ("sec-fetch-site", "same-site")], false),
            (&[host, ("sec-fetch-site", "cross-site")], false),
            (
                &[
                    host,
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://tasks.example.com"),
                ],
                false,
            ),
            (&[host, ("origin", "https://tasks.example.com")], true),
            (&[host, ("origin", "https://TASKS.example.com")], true),
            (&[host, ("origin", "https://tasks.example.com:8443")], false),
            (&[host, ("origin", "https://evil.example.com")], false),
            (&[host, ("origin", "null")], false),
            (&[("origin", "https://tasks.example.com")], false),
        ] {
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            assert_eq!(is_trusted(&Method::POST, &headers), trusted, "{headers:?}");
            assert!(is_trusted(&Method::GET, &headers));
        }
    }
}

//! The session cookie.
//!
//! `__Host-` binds it to this host, to HTTPS and to the whole path (RFC 6265bis, 4.1.3.2); `HttpOnly` keeps it from
//! scripts and `SameSite=Strict` from requests that other sites begin.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::{access::secret::Secret, problem::Problem};

/// As browsers and the API's description know it.
pub(crate) const NAME: &str = "__Host-session";
/// Days until a session ends, however much it is used.
pub(crate) const DAYS: i32 = 30;

/// The secret in the session cookie.
pub(crate) fn session(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == NAME).then_some(value))
}

/// Set-Cookie for a session that has begun.
pub(crate) fn begin(secret: &Secret) -> Result<HeaderValue, Problem> {
    let seconds = DAYS * 24 * 60 * 60;
    let text = format!(
        "{NAME}={}; Path=/; Max-Age={seconds}; Secure; HttpOnly; SameSite=Strict",
        secret.expose()
    );
    let mut value = HeaderValue::from_str(&text).map_err(|_| Problem::Internal)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Set-Cookie for a session that has ended.
pub(crate) const END: HeaderValue =
    HeaderValue::from_static("__Host-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Strict");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_found_among_other_cookies() {
        for (line, expected) in [
            ("__Host-session=abc", Some("abc")),
            ("theme=dark; __Host-session=abc; lang=de", Some("abc")),
            ("x__Host-session=abc", None),
            ("session=abc", None),
            ("", None),
        ] {
            let headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(line).unwrap())]);
            assert_eq!(session(&headers), expected, "{line}");
        }
        assert!(END.to_str().unwrap().starts_with(NAME));
    }
}

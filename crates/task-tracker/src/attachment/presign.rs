//! Signed URLs of S3: who has one may do exactly this one request, for a while (Amazon S3 API Reference, "Authenticating
//! Requests: Using Query Parameters (AWS Signature Version 4)").
//!
//! All this service asks of S3 goes by such URLs, so the SDK, which takes longer to build than the service itself, has no
//! place here.

use std::{borrow::Cow, fmt::Write, time::Duration};

use aws_lc_rs::{digest, hmac};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use url::Url;

use crate::credentials::Credentials;

const MOMENT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]");

/// The one request that a URL allows.
pub(super) struct Permit<'a> {
    pub(super) method: &'static str,
    /// Of the object, with the bucket in its host or its path.
    pub(super) url: Url,
    pub(super) region: &'a str,
    /// Besides those of the signature.
    pub(super) query: Vec<(&'static str, String)>,
    /// Names in lower case. Who sends another value, or leaves one out, is refused by S3.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) lasts: Duration,
}

impl Permit<'_> {
    /// The URL, good from this moment on.
    pub(super) fn sign(self, credentials: &Credentials, now: OffsetDateTime) -> Url {
        let (moment, day) = (
            now.format(&MOMENT).unwrap_or_default(),
            now.format(&DAY).unwrap_or_default(),
        );
        let scope = format!("{day}/{}/s3/aws4_request", self.region);
        let mut headers = self.headers;
        headers.push(("host", authority(&self.url)));
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");

        let mut query = self.query;
        query.extend([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256".to_owned()),
            ("X-Amz-Credential", format!("{}/{scope}", credentials.access_key)),
            ("X-Amz-Date", moment.clone()),
            ("X-Amz-Expires", self.lasts.as_secs().to_string()),
            ("X-Amz-SignedHeaders", names.clone()),
        ]);
        if let Some(token) = credentials.session_token() {
            query.push(("X-Amz-Security-Token", token.to_owned()));
        }
        query.sort();
        let pairs: Vec<String> = query
            .iter()
            .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
            .collect();
        let query = pairs.join("&");

        let mut request = format!("{}\n{}\n{query}\n", self.method, self.url.path());
        for (name, value) in &headers {
            let _ = writeln!(request, "{name}:{}", value.trim());
        }
        let _ = write!(request, "\n{names}\nUNSIGNED-PAYLOAD");
        let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", digest_of(&request));
        let signature = hex::encode(mac(&signing_key(credentials, &day, self.region), &text));

        let mut url = self.url;
        url.set_query(Some(&format!("{query}&X-Amz-Signature={signature}")));
        url
    }
}

/// Host and, unless it is the scheme's own, port: what a client will send as `Host`.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn digest_of(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn signing_key(credentials: &Credentials, day: &str, region: &str) -> Vec<u8> {
    let mut key = format!("AWS4{}", credentials.secret_key()).into_bytes();
    for part in [day, region, "s3", "aws4_request"] {
        key = mac(&key, part);
    }
    key
}

/// Every byte but the unreserved ones (AWS General Reference, "Create a signed AWS API request": `UriEncode`).
pub(crate) fn escaped(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if is_plain(byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    /// The example in AWS's document named at the top.
    #[test]
    fn the_documented_request_gets_the_documented_signature() {
        let credentials = Credentials::fixed("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None);
        let permit = Permit {
            method: "GET",
            url: "https://examplebucket.s3.amazonaws.com/test.txt".parse().unwrap(),
            region: "us-east-1",
            query: Vec::new(),
            headers: Vec::new(),
            lasts: Duration::from_hours(24),
        };
        let signed = permit.sign(&credentials, datetime!(2013-05-24 00:00:00 UTC));
        let (_, signature) = signed.as_str().split_once("&X-Amz-Signature=").unwrap();
        assert_eq!(
            signature,
            "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn everything_but_the_unreserved_is_escaped() {
        assert_eq!(escaped("aZ0-._~"), "aZ0-._~");
        assert_eq!(escaped("a b/ü+\""), "a%20b%2F%C3%BC%2B%22");
    }
}

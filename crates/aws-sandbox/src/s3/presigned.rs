//! Presigned URLs: whoever holds one was given it by somebody else, so here, unlike in headers, the signature counts
//! (Amazon S3 API Reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)").
//!
//! The sandbox knows the secret of the keys that it gives to tasks and of those that its documents name; of other keys it
//! checks everything but the signature itself.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use http::StatusCode;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, PrimitiveDateTime};
use url::form_urlencoded;

use super::error::S3Error;
use crate::front::call::Call;

const MOMENT: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]T[hour][minute][second]Z");
/// A week, as S3 has it.
const LONGEST: i64 = 604_800;

/// Lets calls through that are not signed in their URL, and those that are, and whose URL still holds.
pub(crate) fn check(call: &Call, now: OffsetDateTime) -> Result<(), S3Error> {
    let query: Vec<(String, String)> = form_urlencoded::parse(call.parts.uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let find = |name: &str| {
        query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let Some(signature) = find("X-Amz-Signature") else {
        return Ok(());
    };
    let parameter = |name: &str| {
        find(name).ok_or_else(|| {
            let message = format!("Query-string authentication version 4 requires {name}");
            S3Error::invalid("AuthorizationQueryParametersError", message)
        })
    };
    let (credential, moment) = (parameter("X-Amz-Credential")?, parameter("X-Amz-Date")?);
    let (lasts, names) = (parameter("X-Amz-Expires")?, parameter("X-Amz-SignedHeaders")?);
    still_holds(moment, lasts, now)?;
    let signed: Vec<&str> = names.split(';').collect();
    every_header_counts(call, &signed)?;

    let (access_key, scope) = credential.split_once('/').unwrap_or((credential, ""));
    let Some(secret_key) = secret_key(access_key) else {
        return Ok(());
    };
    let request = canonical(call, &query, &signed);
    let text = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex_digest(&request));
    let mut key = format!("AWS4{secret_key}").into_bytes();
    for part in scope.split('/') {
        key = mac(&key, part);
    }
    if hex::encode(mac(&key, &text)) == signature {
        Ok(())
    } else {
        let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                       signing method.";
        Err(S3Error::new(StatusCode::FORBIDDEN, "SignatureDoesNotMatch", message))
    }
}

/// `SANDBOXTASKROLE` is what tasks are told, `sandbox` what the documents tell people.
fn secret_key(access_key: &str) -> Option<&'static str> {
    matches!(access_key, "SANDBOXTASKROLE" | "sandbox").then_some("sandbox")
}

fn still_holds(moment: &str, lasts: &str, now: OffsetDateTime) -> Result<(), S3Error> {
    let malformed = |what: &str| S3Error::invalid("AuthorizationQueryParametersError", what.to_owned());
    let from = PrimitiveDateTime::parse(moment, &MOMENT)
        .map_err(|_| malformed("X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""))?
        .assume_utc();
    let lasts: i64 = lasts
        .parse()
        .ok()
        .filter(|lasts| (1..=LONGEST).contains(lasts))
        .ok_or_else(|| malformed("X-Amz-Expires must be between 1 and 604800 seconds"))?;
    let message = if now + Duration::minutes(15) < from {
        "Request is not yet valid"
    } else if from + Duration::seconds(lasts) < now {
        "Request has expired"
    } else {
        return Ok(());
    };
    Err(S3Error::new(StatusCode::FORBIDDEN, "AccessDenied", message))
}

/// Signed headers must be there, and headers that S3 acts on must be signed.
fn every_header_counts(call: &Call, signed: &[&str]) -> Result<(), S3Error> {
    let missing = signed.iter().find(|name| !call.parts.headers.contains_key(**name));
    let headers = call.parts.headers.keys().map(http::HeaderName::as_str);
    let mut unsigned = headers.filter(|name| name.starts_with("x-amz-") && !signed.contains(name));
    if signed.contains(&"host") && missing.is_none() && unsigned.next().is_none() {
        return Ok(());
    }
    let message = "There were headers present in the request which were not signed, or signed ones are missing";
    Err(S3Error::new(StatusCode::FORBIDDEN, "AccessDenied", message))
}

fn canonical(call: &Call, query: &[(String, String)], signed: &[&str]) -> String {
    let mut pairs: Vec<String> = query
        .iter()
        .filter(|(name, _)| name != "X-Amz-Signature")
        .map(|(name, value)| format!("{}={}", escaped(name), escaped(value)))
        .collect();
    pairs.sort();
    let mut request = format!(
        "{}\n{}\n{}\n",
        call.parts.method,
        call.parts.uri.path(),
        pairs.join("&")
    );
    for name in signed {
        let lines = call.parts.headers.get_all(*name).iter();
        let values: Vec<&str> = lines.filter_map(|value| value.to_str().ok()).map(str::trim).collect();
        writeln!(request, "{name}:{}", values.join(",")).unwrap_or_default();
    }
    // Of a URL the payload is not known when it is made, unless the maker signed the header that says so.
    let payload = call.parts.headers.get("x-amz-content-sha256");
    let payload = payload
        .and_then(|digest| digest.to_str().ok())
        .unwrap_or("UNSIGNED-PAYLOAD");
    write!(request, "\n{}\n{payload}", signed.join(";")).unwrap_or_default();
    request
}

/// Every byte but the unreserved ones.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").unwrap_or_default();
        }
    }
    escaped
}

fn hex_digest(text: &str) -> String {
    hex::encode(digest::digest(&digest::SHA256, text.as_bytes()))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

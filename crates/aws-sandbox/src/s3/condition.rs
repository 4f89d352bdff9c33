//! Preconditions of a request, decided against the object that is there (RFC 9110, section 13; Amazon S3 User Guide, "Conditional requests").

use http::StatusCode;
use time::OffsetDateTime;

use super::answer::parse_http_date;
use super::error::S3Error;
use super::request::Request;
use super::store::Object;

/// What a write expects to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Expected {
    Anything,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match: *`
    Present,
    /// `If-Match: "etag"`, without the quotes.
    Etag(String),
}

impl Expected {
    pub(crate) fn of_write(request: &Request<'_>) -> Result<Self, S3Error> {
        match (request.header("if-match"), request.header("if-none-match")) {
            (None, None) => Ok(Self::Anything),
            (None, Some("*")) => Ok(Self::Absent),
            (Some("*"), None) => Ok(Self::Present),
            (Some(etag), None) => Ok(Self::Etag(unquoted(etag).to_owned())),
            (None, Some(_)) => Err(S3Error::not_implemented(
                "If-None-Match with an ETag for a write; only `*`",
            )),
            (Some(_), Some(_)) => Err(S3Error::not_implemented(
                "If-Match together with If-None-Match for a write",
            )),
        }
    }

    /// Amazon S3 User Guide, "How to prevent object overwrites with conditional writes": an absent object is 404 for `If-Match`.
    pub(crate) fn check_put(&self, key: &str, current: Option<&Object>) -> Result<(), S3Error> {
        match (self, current) {
            (Self::Anything, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Etag(etag), Some(object)) if *etag == object.etag => Ok(()),
            (Self::Present | Self::Etag(_), None) => Err(S3Error::no_such_key(key)),
            (Self::Absent | Self::Etag(_), Some(_)) => Err(S3Error::precondition_failed()),
        }
    }

    /// Amazon S3 User Guide, "How to perform conditional deletes": an absent object fails the condition.
    pub(crate) fn check_delete(&self, current: Option<&Object>) -> Result<(), S3Error> {
        match (self, current) {
            (Self::Anything, _) | (Self::Absent, None) | (Self::Present, Some(_)) => Ok(()),
            (Self::Etag(etag), Some(object)) if *etag == object.etag => Ok(()),
            (Self::Absent | Self::Present | Self::Etag(_), _) => Err(S3Error::precondition_failed()),
        }
    }
}

/// Whether a GET, a HEAD or the source of a copy (whose headers have a `prefix`) may be read.
pub(crate) fn check_read(request: &Request<'_>, prefix: &str, object: &Object) -> Result<(), S3Error> {
    let header = |name: &str| request.header(&format!("{prefix}{name}"));
    let date = |name: &str| header(name).and_then(parse_http_date);
    let matches = |tags: &str| {
        tags.split(',')
            .any(|tag| tag.trim() == "*" || unquoted(tag.trim()) == object.etag)
    };
    // Dates in headers have whole seconds.
    let modified_after = |date: OffsetDateTime| object.modified.unix_timestamp() > date.unix_timestamp();
    match header("if-match") {
        Some(tags) if !matches(tags) => return Err(S3Error::precondition_failed()),
        None if date("if-unmodified-since").is_some_and(modified_after) => {
            return Err(S3Error::precondition_failed());
        }
        Some(_) | None => {}
    }
    let unchanged = match header("if-none-match") {
        Some(tags) => matches(tags),
        None => date("if-modified-since").is_some_and(|date| !modified_after(date)),
    };
    match unchanged {
        true if prefix.is_empty() => Err(S3Error::new(StatusCode::NOT_MODIFIED, "NotModified", "Not Modified")),
        true => Err(S3Error::precondition_failed()),
        false => Ok(()),
    }
}

pub(crate) fn unquoted(etag: &str) -> &str {
    etag.strip_prefix('"')
        .and_then(|etag| etag.strip_suffix('"'))
        .unwrap_or(etag)
}

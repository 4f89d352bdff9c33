//! The version of a row as an `ETag`, the If-Match a change must carry and the If-None-Match a look may (RFC 9110, 13.1).

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{problem::Problem, write::Versioned};

/// Counts the changes of a row, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(minimum = 1)]
pub(crate) struct Version(i64);

impl From<i64> for Version {
    fn from(count: i64) -> Self {
        Self(count)
    }
}

impl Version {
    /// A strong `ETag`: the version changes with every change of the row.
    pub(crate) fn etag(self) -> HeaderValue {
        quoted(&self.0.to_string())
    }

    /// Answers with the row and its `ETag`.
    pub(crate) fn respond(self, status: StatusCode, row: impl Serialize) -> Response {
        (status, [(header::ETAG, self.etag())], Json(row)).into_response()
    }

    /// As `etag`, for a row that is shown with numbers of which its version knows nothing.
    pub(crate) fn etag_with(self, numbers: [u32; 2]) -> HeaderValue {
        let [first, second] = numbers;
        quoted(&format!("{}.{first}.{second}", self.0))
    }
}

fn quoted(opaque: &str) -> HeaderValue {
    let mut quoted = String::with_capacity(opaque.len() + 2);
    quoted.push('"');
    quoted.push_str(opaque);
    quoted.push('"');
    HeaderValue::from_str(&quoted).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

/// The row with its `ETag`.
pub(crate) fn respond(status: StatusCode, row: impl Versioned) -> Response {
    (status, [(header::ETAG, row.etag())], Json(row)).into_response()
}

/// The version that is in a tag, whatever else is.
fn version_in(opaque: &str) -> Option<i64> {
    opaque.split('.').next()?.parse().ok()
}

/// The versions a client is willing to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfMatch {
    Whatever,
    OneOf(Vec<i64>),
}

impl IfMatch {
    /// As a parameter for `($n::bigint[] is null or version = any($n))`.
    pub(crate) fn versions(self) -> Option<Vec<i64>> {
        match self {
            Self::Whatever => None,
            Self::OneOf(versions) => Some(versions),
        }
    }

    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let Some(tags) = tags(headers, &header::IF_MATCH)? else {
            return Err(Problem::PreconditionRequired);
        };
        let mut versions = Vec::new();
        for tag in tags {
            match tag {
                Tag::Any => return Ok(Self::Whatever),
                Tag::Strong(opaque) => versions.extend(version_in(opaque)),
                // Never matches in a strong comparison.
                Tag::Weak(_) => {}
            }
        }
        Ok(Self::OneOf(versions))
    }
}

/// What a client has already of what it asks for (RFC 9110, 13.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum IfNoneMatch {
    Anything,
    /// As they stand between the quotes.
    OneOf(Vec<String>),
}

impl IfNoneMatch {
    /// The row with its `ETag`, or only that when the client has this version.
    pub(crate) fn respond(self, row: impl Versioned) -> Response {
        let etag = row.etag();
        let has_it = match self {
            Self::Anything => true,
            Self::OneOf(tags) => tags.iter().any(|tag| quoted(tag) == etag),
        };
        if has_it {
            (StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response()
        } else {
            respond(StatusCode::OK, row)
        }
    }

    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut known = Vec::new();
        // Empty is what a client sends that knows nothing yet.
        if headers.get(header::IF_NONE_MATCH).is_some_and(HeaderValue::is_empty) {
            return Ok(Self::OneOf(known));
        }
        for tag in tags(headers, &header::IF_NONE_MATCH)?.unwrap_or_default() {
            match tag {
                Tag::Any => return Ok(Self::Anything),
                // A weak comparison: a proxy may have made it weak on its way.
                Tag::Strong(opaque) | Tag::Weak(opaque) => known.push(opaque.to_owned()),
            }
        }
        Ok(Self::OneOf(known))
    }
}

impl<S: Sync> FromRequestParts<S> for IfNoneMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::read(&parts.headers)
    }
}

/// All tags of a header, on however many lines; None when it is not there.
fn tags<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<Vec<Tag<'h>>>, Problem> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    let mut tags = Vec::new();
    for line in headers.get_all(name) {
        let mut rest = line.to_str().map_err(|_| not_an_etag())?;
        while let Some((tag, behind)) = next(rest)? {
            rest = behind;
            tags.push(tag);
        }
    }
    if tags.is_empty() {
        Err(not_an_etag())
    } else {
        Ok(Some(tags))
    }
}

/// One member of the list.
#[derive(Debug, PartialEq, Eq)]
enum Tag<'t> {
    Any,
    Strong(&'t str),
    Weak(&'t str),
}

/// The next tag and what comes behind it; a comma may be part of a tag, so the list is not simply split. None at its end.
fn next(list: &str) -> Result<Option<(Tag<'_>, &str)>, Problem> {
    let list = list.trim_start_matches([' ', '\t', ',']);
    if list.is_empty() {
        return Ok(None);
    }
    let (tag, behind) = if let Some(behind) = list.strip_prefix('*') {
        (Tag::Any, behind)
    } else {
        let quoted = list.strip_prefix("W/").unwrap_or(list);
        let (opaque, behind) = quoted
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'))
            .filter(|(opaque, _)| opaque.bytes().all(|byte| byte == b'!' || (b'#'..=b'~').contains(&byte)))
            .ok_or_else(not_an_etag)?;
        let is_weak = quoted.len() < list.len();
        (
            if is_weak {
                Tag::Weak(opaque)
            } else {
                Tag::Strong(opaque)
            },
            behind,
        )
    };
    let behind = behind.trim_start_matches([' ', '\t']);
    if behind.is_empty() || behind.starts_with(',') {
        Ok(Some((tag, behind)))
    } else {
        Err(not_an_etag())
    }
}

fn not_an_etag() -> Problem {
    Problem::Malformed {
        detail: "If-Match and If-None-Match take ETags in double quotes, or *".into(),
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Self::read(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<IfMatch, Problem> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_MATCH, HeaderValue::from_static(value));
        }
        IfMatch::read(&headers)
    }

    #[test]
    fn if_match_is_read_as_http_says() {
        assert_eq!(read(&[]), Err(Problem::PreconditionRequired));
        for (values, expected) in [
            (&["\"3\""][..], IfMatch::OneOf(vec![3])),
            (&["\"3\", \"4\""], IfMatch::OneOf(vec![3, 4])),
            (&["\"3\"", "\"4\""], IfMatch::OneOf(vec![3, 4])),
            (&["*"], IfMatch::Whatever),
            (&["\"3.2.1\""], IfMatch::OneOf(vec![3])),
            (&["W/\"3\""], IfMatch::OneOf(vec![])),
            (&["\"abc\""], IfMatch::OneOf(vec![])),
            (&["\"a,b\" , W/\",\",\"3\""], IfMatch::OneOf(vec![3])),
        ] {
            assert_eq!(read(values), Ok(expected), "{values:?}");
        }
        for values in [
            &["3"][..],
            &["\"3"],
            &["\""],
            &[""],
            &[","],
            &["\"a\"b\""],
            &["\"a b\""],
        ] {
            assert!(matches!(read(values), Err(Problem::Malformed { .. })), "{values:?}");
        }
    }

    #[test]
    fn what_a_client_has_is_compared_weakly_and_may_be_left_out() {
        let read = |value: Option<&'static str>| {
            let lines = value.map(|value| (header::IF_NONE_MATCH, HeaderValue::from_static(value)));
            IfNoneMatch::read(&HeaderMap::from_iter(lines))
        };
        for (value, expected) in [
            (None, IfNoneMatch::OneOf(vec![])),
            (Some(""), IfNoneMatch::OneOf(vec![])),
            (
                Some("W/\"3\", \"4\", \"abc\""),
                IfNoneMatch::OneOf(["3", "4", "abc"].map(String::from).to_vec()),
            ),
            (Some("*"), IfNoneMatch::Anything),
        ] {
            assert_eq!(read(value), Ok(expected), "{value:?}");
        }
        for value in ["3", ","] {
            assert!(matches!(read(Some(value)), Err(Problem::Malformed { .. })), "{value}");
        }
    }

    #[test]
    fn an_etag_comes_back_as_the_version_it_was() {
        let etag = Version(7).etag();
        assert_eq!(next(etag.to_str().unwrap()), Ok(Some((Tag::Strong("7"), ""))));
    }
}

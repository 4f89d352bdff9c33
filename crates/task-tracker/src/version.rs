//! The version of a row as an `ETag`, and the If-Match a change must carry (RFC 9110, 13.1.1).

use axum::{
    Json,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

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
        let mut quoted = String::with_capacity(22);
        quoted.push('"');
        quoted.push_str(&self.0.to_string());
        quoted.push('"');
        HeaderValue::from_str(&quoted).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
    }

    /// Answers with the row and its `ETag`.
    pub(crate) fn respond(self, status: StatusCode, row: impl Serialize) -> Response {
        (status, [(header::ETAG, self.etag())], Json(row)).into_response()
    }
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
        let mut versions = Vec::new();
        let (mut present, mut tags) = (false, 0);
        for line in headers.get_all(header::IF_MATCH) {
            present = true;
            let mut rest = line.to_str().map_err(|_| not_an_etag())?;
            while let Some((tag, behind)) = next(rest)? {
                rest = behind;
                tags += 1;
                match tag {
                    Tag::Any => return Ok(Self::Whatever),
                    Tag::Strong(opaque) => versions.extend(opaque.parse::<i64>()),
                    // Never matches in a strong comparison.
                    Tag::Weak => {}
                }
            }
        }
        match (present, tags) {
            (false, _) => Err(Problem::PreconditionRequired),
            (true, 0) => Err(not_an_etag()),
            (true, _) => Ok(Self::OneOf(versions)),
        }
    }
}

/// One member of the list.
#[derive(Debug, PartialEq, Eq)]
enum Tag<'t> {
    Any,
    Strong(&'t str),
    Weak,
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
        (if is_weak { Tag::Weak } else { Tag::Strong(opaque) }, behind)
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
        detail: "If-Match takes ETags in double quotes, or *".into(),
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
    fn an_etag_comes_back_as_the_version_it_was() {
        let etag = Version(7).etag();
        assert_eq!(next(etag.to_str().unwrap()), Ok(Some((Tag::Strong("7"), ""))));
    }
}

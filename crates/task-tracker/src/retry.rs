//! Idempotency-Key: a write that may be sent again, because its first answer was lost, and still happens once.
//!
//! The key is kept in the transaction of its effect (`write`), together with a digest of the request, so the two cannot
//! come apart. Keys are a client's own: they count per user and operation, and are forgotten after a day.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, header},
};
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{extract, problem::Problem};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The key of a write, and what makes it this write and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) key: String,
    /// Method and route.
    pub(crate) operation: String,
    pub(crate) digest: [u8; 32],
}

/// The answer that a write with this key had.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) status: i16,
    pub(crate) answer: Option<serde_json::Value>,
}

impl Retry {
    /// Reads the key, and the whole request for its digest; a request without a key passes through unread.
    pub(crate) async fn capture(request: Request, route: &str) -> Result<(Request, Option<Self>), Problem> {
        match key(request.headers())? {
            Some(key) => Box::pin(Self::keyed(key, request, route)).await,
            None => Ok((request, None)),
        }
    }

    async fn keyed(key: String, request: Request, route: &str) -> Result<(Request, Option<Self>), Problem> {
        let (parts, body) = request.into_parts();
        let bytes = extract::read(body, extract::patience(route)).await?;
        let mut digest = Sha256::new();
        let target = parts
            .uri
            .path_and_query()
            .map_or_else(|| parts.uri.path(), |target| target.as_str());
        let precondition = parts
            .headers
            .get(header::IF_MATCH)
            .map_or(&b""[..], |value| value.as_bytes());
        for part in [target.as_bytes(), precondition, &bytes] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        let retry = Self {
            key,
            operation: format!("{} {route}", parts.method),
            digest: digest.finalize().into(),
        };
        Ok((Request::from_parts(parts, Body::from(bytes)), Some(retry)))
    }

    /// What was answered when this user sent this before. Refuses when it was another request under the same key.
    pub(crate) async fn kept(&self, user: Uuid, connection: &mut PgConnection) -> Result<Option<Kept>, Problem> {
        let kept: Option<(Vec<u8>, i16, Option<serde_json::Value>)> = sqlx::query_as(
            "select body_sha256, status, answer from idempotency_keys
             where user_id = $1 and operation = $2 and key = $3",
        )
        .bind(user)
        .bind(&self.operation)
        .bind(&self.key)
        .fetch_optional(connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
        match kept {
            Some((digest, ..)) if digest != self.digest => Err(Problem::KeyReused),
            kept => Ok(kept.map(|(_, status, answer)| Kept { status, answer })),
        }
    }
}

fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get(KEY) else {
        return Ok(None);
    };
    let fits = (1..=255).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    match value.to_str() {
        Ok(text) if fits => Ok(Some(text.to_owned())),
        _ => Err(Problem::Malformed {
            detail: "Idempotency-Key takes 1 to 255 visible ASCII characters".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn captured(
        path: &str,
        if_match: &'static str,
        key: &str,
        body: &'static str,
    ) -> Result<Option<Retry>, Problem> {
        let request = Request::post(path)
            .header("if-match", if_match)
            .header("idempotency-key", key)
            .body(Body::from(body))
            .unwrap();
        Retry::capture(request, "/tasks/{id}").await.map(|(_, retry)| retry)
    }

    #[tokio::test]
    async fn everything_that_decides_the_effect_is_in_the_digest() {
        let first = captured("/tasks/1", "\"1\"", "a", "{}").await.unwrap().unwrap();
        assert_eq!(first.operation, "POST /tasks/{id}");
        assert_eq!(captured("/tasks/1", "\"1\"", "a", "{}").await.unwrap().unwrap(), first);
        for other in [
            captured("/tasks/2", "\"1\"", "a", "{}"),
            captured("/tasks/1", "\"2\"", "a", "{}"),
            captured("/tasks/1", "\"1\"", "a", "[]"),
        ] {
            assert_ne!(other.await.unwrap().unwrap().digest, first.digest);
        }
    }

    #[tokio::test]
    async fn a_key_is_visible_and_bounded() {
        for key in ["", "a b", &"x".repeat(256)] {
            assert!(matches!(
                captured("/", "*", key, "").await,
                Err(Problem::Malformed { .. })
            ));
        }
    }
}

//! Reads path, query and body of a request; whatever cannot be read becomes a `Problem`.

use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::request::Parts,
};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use uuid::Uuid;

use crate::problem::Problem;

/// A client that sends its body more slowly than this is not worth a place.
const BODY: Duration = Duration::from_secs(5);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// The id in the path.
pub(crate) struct Id(pub(crate) Uuid);

/// The query string.
pub(crate) struct Params<T>(pub(crate) T);

/// An id that a client chose: any UUID but nil, which is where keyset pages begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Uuid")]
pub(crate) struct ChosenId(Uuid);

impl ChosenId {
    /// The client's choice, or a new id; those sort by the time they were made.
    pub(crate) fn or_new(choice: Option<Self>) -> Uuid {
        choice.map_or_else(Uuid::now_v7, |chosen| chosen.0)
    }
}

impl TryFrom<Uuid> for ChosenId {
    type Error = &'static str;

    fn try_from(id: Uuid) -> Result<Self, Self::Error> {
        if id.is_nil() {
            Err("the nil UUID is no id")
        } else {
            Ok(Self(id))
        }
    }
}

/// For the fields of a change: absent means "leave it", and `null` is no value.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let read = Json::<T>::from_request(request, state);
        let Json(value) = tokio::time::timeout(BODY, read)
            .await
            .map_err(|_| Problem::BodyTooSlow)??;
        Ok(Self(value))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Path(id) = Path::<Uuid>::from_request_parts(parts, state).await?;
        Ok(Self(id))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

//! Reads path, query and body of a request; whatever cannot be read becomes a `Problem`.

use std::{net::IpAddr, time::Duration};

use axum::{
    Json, body,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{header, request::Parts},
};
use http_body_util::LengthLimitError;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::address::{self, Peer},
    problem::Problem,
    router::Context,
};

/// Several times the largest description in UTF-8.
pub(crate) const LARGEST_BODY: usize = 64 * 1024;

/// A client that sends its body more slowly than this is not worth a place.
const BODY: Duration = Duration::from_secs(5);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

/// The id in the path.
pub(crate) struct Id(pub(crate) Uuid);

/// The two ids in the path: of the project, and of something in it.
pub(crate) struct Ids(pub(crate) Uuid, pub(crate) Uuid);

/// The query string.
pub(crate) struct Params<T>(pub(crate) T);

/// Where the request comes from.
pub(crate) struct Client(pub(crate) IpAddr);

impl FromRequestParts<Context> for Client {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, context: &Context) -> Result<Self, Self::Rejection> {
        let peer = parts.extensions.get::<Peer>().copied();
        Ok(Self(address::client(&parts.headers, peer, context.proxies)))
    }
}

/// An id that a client chose: any UUID but nil, which is where keyset pages begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
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

/// A number of days, 1 to `MOST`. JSON has no integers of its own: 7.0 is as good as 7 (JSON Schema, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Days<const MOST: u16>(u16);

impl<const MOST: u16> Days<MOST> {
    pub(crate) fn new(days: u16) -> Self {
        Self(days.clamp(1, MOST))
    }

    pub(crate) fn count(self) -> i32 {
        self.0.into()
    }
}

impl<const MOST: u16> TryFrom<f64> for Days<MOST> {
    type Error = String;

    fn try_from(days: f64) -> Result<Self, Self::Error> {
        (1..=MOST)
            .find(|whole| f64::from(*whole).total_cmp(&days).is_eq())
            .map(Self)
            .ok_or_else(|| format!("expected a whole number of days, 1 to {MOST}"))
    }
}

/// A whole number in these bounds; 7.0 is as good as 7 here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Whole<const LEAST: i64, const MOST: i64>(i64);

impl<const LEAST: i64, const MOST: i64> Whole<LEAST, MOST> {
    pub(crate) fn get(self) -> i64 {
        self.0
    }
}

impl<const LEAST: i64, const MOST: i64> TryFrom<f64> for Whole<LEAST, MOST> {
    type Error = String;

    fn try_from(number: f64) -> Result<Self, Self::Error> {
        // Up to 2^53 a float writes a whole number without a point or an exponent.
        let whole = if number.fract() == 0.0 {
            format!("{number}").parse().ok()
        } else {
            None
        };
        whole
            .filter(|whole| (LEAST..=MOST).contains(whole))
            .map(Self)
            .ok_or_else(|| format!("expected a whole number, {LEAST} to {MOST}"))
    }
}

/// For the fields of a change: absent means "leave it", and `null` is no value.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// What a change says of a field that may be null; absent means "leave it" here too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Nullable<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

impl<T> Nullable<T> {
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(crate) fn value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(|value| value.map_or(Self::Null, Self::Value))
    }
}

/// How much of a body is read, and for how long it is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    bytes: usize,
    time: Duration,
}

/// For most.
const USUAL: Patience = Patience {
    bytes: LARGEST_BODY,
    time: BODY,
};

/// For whole projects, on a line of a few megabits a second.
pub(crate) const IMPORT: Patience = Patience {
    bytes: 4 * 1024 * 1024,
    time: Duration::from_secs(9),
};

/// What the operation at this route takes.
pub(crate) fn patience(route: &str) -> Patience {
    let is_import = ["/import", "/tasks.csv"].iter().any(|end| route.ends_with(end));
    if is_import { IMPORT } else { USUAL }
}

/// A whole body, within the limits of size and time.
pub(crate) async fn read(body: body::Body, patience: Patience) -> Result<Bytes, Problem> {
    tokio::time::timeout(patience.time, body::to_bytes(body, patience.bytes))
        .await
        .map_err(|_| Problem::BodyTooSlow)?
        .map_err(|cause| {
            let is_too_large =
                std::error::Error::source(&cause).is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
            if is_too_large {
                Problem::TooLarge
            } else {
                Problem::Malformed {
                    detail: "the body could not be read to its end".into(),
                }
            }
        })
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, USUAL).await?;
        let is_json = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "application/json");
        if is_json && let Ok(value) = serde_json::from_slice(&bytes) {
            return Ok(Self(value));
        }
        // Whatever is not as simple: axum knows all the names of JSON, and says where in it something is wrong.
        let request = Request::from_parts(parts, body::Body::from(bytes));
        let Json(value) = Box::pin(Json::from_request(request, state)).await?;
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

impl<S: Send + Sync> FromRequestParts<S> for Ids {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Path((outer, inner)) = Path::<(Uuid, Uuid)>::from_request_parts(parts, state).await?;
        Ok(Self(outer, inner))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Query(value) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

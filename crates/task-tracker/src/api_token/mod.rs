//! API tokens: what programs log in with. Scoped, and always with an end. One endpoint per file.

mod create;
mod list;
mod revoke;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{access::Scope, router::Context};

const WORD: &str = "API token";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(revoke::revoke))
}

/// An API token, without what it is a token by.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ApiToken {
    id: Uuid,
    name: String,
    scopes: Vec<Scope>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// To within five minutes.
    #[serde(with = "time::serde::rfc3339::option")]
    last_used_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// An `ApiToken` out of a row of `api_tokens`.
macro_rules! json {
    ($token:literal) => {
        crate::row::object!($token, id, name, scopes, created_at, last_used_at, expires_at)
    };
}
use json;

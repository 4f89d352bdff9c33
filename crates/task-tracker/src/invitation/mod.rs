//! Invitations: how somebody comes into a project. One endpoint per file.
//!
//! An invitation is a secret that an owner hands to somebody; whoever has it may use it, once. It is worth nothing when
//! the owner who made it is an owner no more.

mod accept;
mod create;
mod list;
mod revoke;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{access::Role, router::Context};

const WORD: &str = "invitation";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(revoke::revoke))
        .routes(routes!(accept::accept))
}

/// An invitation, without what it is accepted by.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Invitation {
    id: Uuid,
    project_id: Uuid,
    /// What the invited will be.
    role: Role,
    invited_by: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// An `Invitation` out of a row of invitations.
macro_rules! json {
    ($invitation:literal) => {
        crate::row::object!($invitation, id, project_id, role, invited_by, created_at, expires_at)
    };
}
use json;

//! Sessions: where a user is logged in, and how to end that. They begin under `account`.

mod end_others;
mod list;
mod revoke;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    database::Database,
    problem::Problem,
    router::Context,
    write::{Done, Write, change},
};

const WORD: &str = "session";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, end_others::end_others))
        .routes(routes!(revoke::revoke))
}

/// One place where the user is logged in.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Session {
    id: Uuid,
    /// What the browser or program called itself.
    user_agent: String,
    /// Whether this request came by it.
    current: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// To within five minutes.
    #[serde(with = "time::serde::rfc3339")]
    last_used_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Ends one of the caller's sessions; None when there is no such.
pub(crate) async fn end(database: &Database, caller: &Caller, id: Uuid) -> Result<Option<Done<Value>>, Problem> {
    let ended = Write::new(
        caller,
        "session.ended",
        axum::http::StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from sessions where id = $9 and user_id = $1 returning id
             ), effect as (
                select null::uuid as project, id as target, null::jsonb as before, null::jsonb as after from gone
             )"
        ),
    )
    .bind(id)
    .run(database)
    .await?;
    Ok(ended)
}

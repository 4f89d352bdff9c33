use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    extract::Body,
    notification::WORD,
    problem::Problem,
    router::Context,
    write::{Write, change},
};

/// Up to where everything was read.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpTo {
    /// A notification, which was read along with all before it.
    up_to: Uuid,
}

/// What that changed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct CaughtUp {
    /// How many were not read before.
    marked: u32,
}

/// Say that a notification and all before it were read
///
/// What came since stays unread.
#[utoipa::path(
    post, path = "/api/v1/notifications/read", operation_id = "read_notifications", tag = "notifications",
    request_body = UpTo,
    responses(
        (status = 200, description = "They are read", body = CaughtUp),
        (status = 404, description = "There is no such notification, or not for the caller"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn catch_up(
    State(context): State<Context>,
    caller: Caller,
    Body(read): Body<UpTo>,
) -> Result<Response, Problem> {
    let marked = Write::<CaughtUp>::new(
        &caller,
        "notification.all_read",
        StatusCode::OK,
        change!(
            "last as (
                select id, created_at from notifications where id = $9 and user_id = $1
             ), marked as (
                update notifications set read_at = now() from last
                where notifications.user_id = $1 and notifications.read_at is null
                  and (notifications.created_at, notifications.id) <= (last.created_at, last.id)
                returning 1
             ), effect as (
                select null::uuid as project, last.id as target, null::jsonb as before,
                       jsonb_build_object('marked', (select count(*) from marked)) as after from last
             )"
        ),
    )
    .bind(read.up_to)
    .run(&context.database)
    .await?;
    marked.map_or(Err(Problem::NoSuch(WORD)), |done| Ok(done.respond_plainly()))
}

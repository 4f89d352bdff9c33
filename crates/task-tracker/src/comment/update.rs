use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    comment::{Comment, May, json, refusal},
    effect::changed,
    extract::{Body, Id},
    problem::Problem,
    router::Context,
    text::Words,
    version::IfMatch,
    write::{Write, change},
};

/// The new words.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = CommentChange)]
pub(crate) struct Change {
    body: Words,
}

/// Change a comment
///
/// For who wrote it.
#[utoipa::path(
    patch, path = "/api/v1/comments/{id}", operation_id = "update_comment", tag = "comments",
    params(
        ("id" = Uuid, Path, description = "The comment"),
        ("if-match" = String, Header, description = "Its ETag: the comment's version in double quotes"),
    ),
    request_body = Change,
    responses((status = 200, description = "As it is now", body = Comment)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    let changed = Write::<Comment>::new(
        &caller,
        "comment.changed",
        StatusCode::OK,
        change!(
            "old as (
                select comments.*, tasks.project_id from comments join tasks on tasks.id = comments.task_id
                join memberships on memberships.project_id = tasks.project_id
                where comments.id = $9 and comments.author_id = $1 and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor') and ($10::bigint[] is null or comments.version = any($10))
                for update of comments
             ), new as (
                update comments set body = $11, version = comments.version + 1, updated_at = now()
                from old where comments.id = old.id
                returning comments.*
             )",
            changed!("old.project_id", json!("old"), json!("new"))
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .bind(String::from(change.body))
    .run(&context.database)
    .await?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id, May::Change).await),
    }
}

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    comment::{Comment, May, json, refusal},
    effect::gone,
    extract::Id,
    problem::Problem,
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// Delete a comment
///
/// For who wrote it, and owners.
#[utoipa::path(
    delete, path = "/api/v1/comments/{id}", operation_id = "delete_comment", tag = "comments",
    params(
        ("id" = Uuid, Path, description = "The comment"),
        ("if-match" = String, Header, description = "Its ETag: the comment's version in double quotes"),
    ),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let deleted = Write::<Comment>::new(
        &caller,
        "comment.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from comments using tasks, memberships
                where comments.id = $9 and tasks.id = comments.task_id and memberships.project_id = tasks.project_id
                  and memberships.user_id = $1
                  and (memberships.role = 'owner' or (memberships.role = 'editor' and comments.author_id = $1))
                  and ($10::bigint[] is null or comments.version = any($10))
                returning comments.*, tasks.project_id
             )",
            gone!("project_id", json!("gone"))
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .run(&context.database)
    .await?;
    match deleted {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id, May::Delete).await),
    }
}

use axum::{extract::State, response::Response};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    comment::{Comment, WORD, json},
    extract::Id,
    problem::Problem,
    router::Context,
    version::IfNoneMatch,
};

/// See a comment
#[utoipa::path(
    get, path = "/api/v1/comments/{id}", operation_id = "get_comment", tag = "comments",
    params(
        ("id" = Uuid, Path, description = "The comment"),
        ("if-none-match" = Option<String>, Header, description = "The ETag of what is known already"),
    ),
    responses((status = 200, description = "It", body = Comment)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn get(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let found: Option<Row<Comment>> = sqlx::query_scalar(concat!(
        "select ",
        json!("comments"),
        " from comments join tasks on tasks.id = comments.task_id
           join memberships on memberships.project_id = tasks.project_id
          where comments.id = $1 and memberships.user_id = $2"
    ))
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Row(found) = found.ok_or(Problem::NoSuch(WORD))?;
    Ok(known.respond(found))
}

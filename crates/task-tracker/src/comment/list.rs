use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of, of_a_task},
    comment::{Comment, json},
    extract::{Id, Params},
    page::{Page, Which},
    problem::Problem,
    router::Context,
};

const COMMENTS: Belongings<Comment> = Belongings {
    what: "comments",
    of: Of::Task,
    sql: of_a_task!("comments", json!("comments")),
    id: |comment| comment.id,
};

/// List the comments on a task
///
/// The oldest first.
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/comments", operation_id = "list_comments", tag = "comments",
    params(("id" = Uuid, Path, description = "The task"), Which),
    responses((status = 200, description = "A page of them", body = Page<Comment>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(task_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Comment>>, Problem> {
    COMMENTS.page(&context, &caller, task_id, &which).await
}

use axum::{Json, extract::State};

use crate::{
    access::Caller,
    comment::{Comment, json},
    extract::{Id, Params},
    page::{Listing, Page, Which},
    problem::Problem,
    router::Context,
    task,
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
    let listing = Listing::of(task_id, "comments", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |comment: &Comment| comment.id)
        .await?;
    if page.is_empty() {
        // Somebody else's task is no task without comments.
        task::role(&mut *context.database.connection().await?, &caller, task_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("comments"),
    " from comments
     where task_id = $1 and id > $2
       and exists (select from tasks join memberships on memberships.project_id = tasks.project_id
                   where tasks.id = $1 and memberships.user_id = $4)
     order by id limit $3"
);

use axum::{Json, extract::State};

use crate::{
    access::Caller,
    attachment::{Attachment, json},
    extract::{Id, Params},
    page::{Listing, Page, Which},
    problem::Problem,
    router::Context,
    task,
};

/// List the attachments of a task
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/attachments", operation_id = "list_attachments", tag = "attachments",
    params(("id" = Uuid, Path, description = "The task"), Which),
    responses((status = 200, description = "A page of them", body = Page<Attachment>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(task_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Attachment>>, Problem> {
    context.attachments()?;
    let listing = Listing::of(task_id, "attachments", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |one: &Attachment| one.id)
        .await?;
    if page.is_empty() {
        // Somebody else's task is no task without attachments.
        task::role(&mut *context.database.connection().await?, &caller, task_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("attachments"),
    " from attachments
     where task_id = $1 and id > $2 and stored_at is not null
       and exists (select from tasks join memberships on memberships.project_id = tasks.project_id
                   where tasks.id = $1 and memberships.user_id = $4)
     order by id limit $3"
);

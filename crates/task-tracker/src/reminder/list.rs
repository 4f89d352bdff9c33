use axum::{Json, extract::State};

use crate::{
    access::Caller,
    extract::{Id, Params},
    page::{Listing, Page, Which},
    problem::Problem,
    reminder::{Reminder, json},
    router::Context,
    task,
};

/// List one's reminders of a task
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}/reminders", operation_id = "list_reminders", tag = "reminders",
    params(("id" = Uuid, Path, description = "The task"), Which),
    responses((status = 200, description = "A page of them", body = Page<Reminder>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(task_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Reminder>>, Problem> {
    let listing = Listing::of(task_id, "reminders", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |reminder: &Reminder| reminder.id)
        .await?;
    if page.is_empty() {
        // Somebody else's task is no task without reminders.
        task::role(&mut *context.database.connection().await?, &caller, task_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("reminders"),
    " from reminders
     where task_id = $1 and id > $2 and user_id = $4
       and exists (select from tasks join memberships on memberships.project_id = tasks.project_id
                   where tasks.id = $1 and memberships.user_id = $4)
     order by id limit $3"
);

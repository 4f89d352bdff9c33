use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of, of_a_task},
    extract::{Id, Params},
    page::{Page, Which},
    problem::Problem,
    reminder::{Reminder, json},
    router::Context,
};

const REMINDERS: Belongings<Reminder> = Belongings {
    what: "reminders",
    of: Of::Task,
    sql: of_a_task!("reminders", json!("reminders"), "user_id = $4"),
    id: |reminder| reminder.id,
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
    REMINDERS.page(&context, &caller, task_id, &which).await
}

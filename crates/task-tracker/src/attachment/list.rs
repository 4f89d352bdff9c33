use axum::{Json, extract::State};

use crate::{
    access::Caller,
    attachment::{Attachment, json},
    belongings::{Belongings, Of, of_a_task},
    extract::{Id, Params},
    page::{Page, Which},
    problem::Problem,
    router::Context,
};

const ATTACHMENTS: Belongings<Attachment> = Belongings {
    what: "attachments",
    of: Of::Task,
    sql: of_a_task!("attachments", json!("attachments"), "stored_at is not null"),
    id: |attachment| attachment.id,
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
    ATTACHMENTS.page(&context, &caller, task_id, &which).await
}

use axum::{extract::State, response::Response};

use crate::{
    access::Caller,
    extract::Id,
    problem::Problem,
    router::Context,
    task::{
        Task, WORD,
        row::{around, columns},
    },
    version::IfNoneMatch,
};

/// See a task
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", operation_id = "get_task", tag = "tasks",
    params(
        ("id" = Uuid, Path, description = "The task"),
        ("if-none-match" = Option<String>, Header, description = "The ETag of what is known already"),
    ),
    responses((status = 200, description = "The task", body = Task)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn get(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let row = context
        .database
        .row(
            concat!(
                "select ",
                columns!("tasks"),
                " from tasks join memberships on memberships.project_id = tasks.project_id",
                around!("tasks"),
                " where tasks.id = $1 and memberships.user_id = $2"
            ),
            &[&id, &caller.user],
        )
        .await?;
    let row = row.ok_or(Problem::NoSuch(WORD))?;
    let task = Task::read(&row)?;
    Ok(known.respond(task))
}

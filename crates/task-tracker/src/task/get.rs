use axum::{extract::State, http::StatusCode, response::Response};
use sqlx::types::Json;

use crate::{
    access::Caller,
    extract::Id,
    problem::Problem,
    router::Context,
    task::{Task, WORD, shown},
};

/// See a task
#[utoipa::path(
    get, path = "/api/v1/tasks/{id}", operation_id = "get_task", tag = "tasks",
    params(("id" = Uuid, Path, description = "The task")),
    responses((status = 200, description = "The task", body = Task)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn get(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let task: Option<Json<Task>> = sqlx::query_scalar(concat!(
        "select ",
        shown!("tasks"),
        " from tasks join memberships on memberships.project_id = tasks.project_id
         where tasks.id = $1 and memberships.user_id = $2"
    ))
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(task) = task.ok_or(Problem::NoSuch(WORD))?;
    Ok(task.version.respond(StatusCode::OK, task))
}

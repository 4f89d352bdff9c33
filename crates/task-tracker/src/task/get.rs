//! `GET /api/v1/tasks/{id}`

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    extract::Id,
    problem::Problem,
    router::Context,
    task::{Task, WORD},
};

pub(crate) async fn get(State(context): State<Context>, Id(id): Id) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let task: Task = sqlx::query_as(
        "select id, project_id, title, description, status, version, created_at, updated_at from tasks where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?
    .ok_or(Problem::NoSuch(WORD))?;
    Ok(task.version.respond(StatusCode::OK, task))
}

//! `GET /api/v1/projects/{id}`

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    extract::Id,
    problem::Problem,
    project::{Project, WORD},
    router::Context,
};

pub(crate) async fn get(State(context): State<Context>, Id(id): Id) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let project: Project =
        sqlx::query_as("select id, name, description, version, created_at, updated_at from projects where id = $1")
            .bind(id)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?
            .ok_or(Problem::NoSuch(WORD))?;
    Ok(project.version.respond(StatusCode::OK, project))
}

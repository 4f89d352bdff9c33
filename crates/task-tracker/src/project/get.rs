use axum::{extract::State, http::StatusCode, response::Response};
use sqlx::types::Json;

use crate::{
    access::Caller,
    extract::Id,
    problem::Problem,
    project::{Project, WORD, json},
    router::Context,
};

/// See a project
#[utoipa::path(
    get, path = "/api/v1/projects/{id}", operation_id = "get_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project")),
    responses((status = 200, description = "The project", body = Project)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn get(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let project: Option<Json<Project>> = sqlx::query_scalar(concat!(
        "select ",
        json!("projects", "memberships.role"),
        " from projects join memberships on memberships.project_id = projects.id
         where projects.id = $1 and memberships.user_id = $2"
    ))
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(project) = project.ok_or(Problem::NoSuch(WORD))?;
    Ok(project.version.respond(StatusCode::OK, project))
}

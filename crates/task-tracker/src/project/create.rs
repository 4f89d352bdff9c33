//! `POST /api/v1/projects`

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    extract::{Body, ChosenId},
    problem::Problem,
    project::{Project, WORD},
    router::Context,
    text::{Name, Prose},
};

/// With an id of its own choice a client may repeat the request after a lost answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    id: Option<ChosenId>,
    name: Name,
    #[serde(default)]
    description: Prose,
}

pub(crate) async fn create(State(context): State<Context>, Body(new): Body<NewProject>) -> Result<Response, Problem> {
    let id = ChosenId::or_new(new.id);
    let mut connection = context.database.connection().await?;
    let inserted: Option<Project> = sqlx::query_as(
        "insert into projects (id, name, description) values ($1, $2, $3)
         on conflict (id) do nothing
         returning id, name, description, version, created_at, updated_at",
    )
    .bind(id)
    .bind(new.name.as_str())
    .bind(new.description.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if let Some(project) = inserted {
        return respond(StatusCode::CREATED, project);
    }

    let existing: Option<Project> = sqlx::query_as(
        "select id, name, description, version, created_at, updated_at from projects
         where id = $1 and name = $2 and description = $3",
    )
    .bind(id)
    .bind(new.name.as_str())
    .bind(new.description.as_str())
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    existing.map_or(Err(Problem::IdTaken(WORD)), |project| respond(StatusCode::OK, project))
}

fn respond(status: StatusCode, project: Project) -> Result<Response, Problem> {
    let location = location(project.id)?;
    let mut response = project.version.respond(status, project);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

fn location(id: Uuid) -> Result<HeaderValue, Problem> {
    HeaderValue::from_str(&format!("/api/v1/projects/{id}")).map_err(|_| Problem::Internal)
}

//! `PATCH /api/v1/projects/{id}` with If-Match

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use crate::{
    extract::{Body, Id, present},
    problem::Problem,
    project::{Project, refusal},
    router::Context,
    text::{Name, Prose},
    version::IfMatch,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    name: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Prose>,
}

pub(crate) async fn update(
    State(context): State<Context>,
    Id(id): Id,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    if change.name.is_none() && change.description.is_none() {
        return Err(Problem::Invalid {
            detail: "name at least one field to change".into(),
        });
    }
    let mut connection = context.database.connection().await?;
    let changed: Option<Project> = sqlx::query_as(
        "update projects
         set name = coalesce($3, name), description = coalesce($4, description),
             version = version + 1, updated_at = now()
         where id = $1 and ($2::bigint[] is null or version = any($2))
         returning id, name, description, version, created_at, updated_at",
    )
    .bind(id)
    .bind(if_match.versions())
    .bind(change.name.as_ref().map(Name::as_str))
    .bind(change.description.as_ref().map(Prose::as_str))
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    match changed {
        Some(project) => Ok(project.version.respond(StatusCode::OK, project)),
        None => Err(refusal(&mut connection, id).await),
    }
}

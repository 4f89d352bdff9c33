//! `PATCH /api/v1/tasks/{id}` with If-Match

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use crate::{
    extract::{Body, Id, present},
    problem::Problem,
    router::Context,
    task::{Status, Task, refusal},
    text::{Name, Prose},
    version::IfMatch,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    title: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    description: Option<Prose>,
    #[serde(default, deserialize_with = "present")]
    status: Option<Status>,
}

pub(crate) async fn update(
    State(context): State<Context>,
    Id(id): Id,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    if change.title.is_none() && change.description.is_none() && change.status.is_none() {
        return Err(Problem::Invalid {
            detail: "name at least one field to change".into(),
        });
    }
    let mut connection = context.database.connection().await?;
    let changed: Option<Task> = sqlx::query_as(
        "update tasks
         set title = coalesce($3, title), description = coalesce($4, description), status = coalesce($5, status),
             version = version + 1, updated_at = now()
         where id = $1 and ($2::bigint[] is null or version = any($2))
         returning id, project_id, title, description, status, version, created_at, updated_at",
    )
    .bind(id)
    .bind(if_match.versions())
    .bind(change.title.as_ref().map(Name::as_str))
    .bind(change.description.as_ref().map(Prose::as_str))
    .bind(change.status.map(Status::as_str))
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    match changed {
        Some(task) => Ok(task.version.respond(StatusCode::OK, task)),
        None => Err(refusal(&mut connection, id).await),
    }
}

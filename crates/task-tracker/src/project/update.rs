use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    effect::changed,
    extract::{Body, Id, present},
    problem::Problem,
    project::{Project, json, refusal},
    router::Context,
    text::{Name, Prose},
    version::IfMatch,
    write::{Write, change},
};

/// What to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ProjectChange, min_properties = 1)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    description: Option<Prose>,
}

/// Change a project
///
/// For owners.
#[utoipa::path(
    patch, path = "/api/v1/projects/{id}", operation_id = "update_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project"), ("if-match" = String, Header, description = "Its ETag")),
    request_body = Change,
    responses((status = 200, description = "As it is now", body = Project)),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    if change.name.is_none() && change.description.is_none() {
        return Err(Problem::no_field());
    }
    let changed = Write::<Project>::new(
        &caller,
        "project.changed",
        StatusCode::OK,
        change!(
            "old as (
                select projects.*, memberships.role from projects
                join memberships on memberships.project_id = projects.id
                where projects.id = $9 and memberships.user_id = $1 and memberships.role = 'owner'
                  and ($10::bigint[] is null or projects.version = any($10))
                for update of projects
             ), new as (
                update projects
                set name = coalesce($11, projects.name), description = coalesce($12, projects.description),
                    version = projects.version + 1, updated_at = now()
                from old where projects.id = old.id
                returning projects.*
             )",
            changed!("new.id", json!("old", "old.role"), json!("new", "old.role"))
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .bind(change.name.map(String::from))
    .bind(change.description.map(String::from))
    .run(&context.database)
    .await?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id).await),
    }
}

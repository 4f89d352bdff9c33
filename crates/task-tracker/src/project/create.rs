use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sqlx::types::Json;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    effect::made,
    extract::{Body, ChosenId},
    problem::Problem,
    project::{Project, WORD, json},
    router::Context,
    text::{Name, Prose},
    write::{Write, change},
};

/// With an id of its own choice a client may repeat the request after a lost answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewProject {
    id: Option<ChosenId>,
    name: Name,
    #[serde(default)]
    description: Prose,
}

/// Make a project
///
/// The caller becomes its owner. Sent again with the same id and content it answers 200 and changes nothing.
#[utoipa::path(
    post, path = "/api/v1/projects", operation_id = "create_project", tag = "projects",
    request_body = NewProject,
    responses(
        (status = 201, description = "Made", body = Project),
        (status = 200, description = "It was there already, just like this", body = Project),
        (status = 409, description = "Another project has this id"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(new): Body<NewProject>,
) -> Result<Response, Problem> {
    let id = ChosenId::or_new(new.id);
    let made = Write::<Project>::new(
        &caller,
        "project.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into projects (id, name, description) values ($9, $10, $11) on conflict (id) do nothing returning *
             ), owned as (
                insert into memberships (project_id, user_id, role) select id, $1, 'owner' from made
             )",
            made!("id", json!("made", "'owner'"))
        ),
    )
    .bind(id)
    .bind(String::from(new.name.clone()))
    .bind(String::from(new.description.clone()))
    .run(&context.database)
    .await?;
    if let Some(done) = made {
        return Ok(done.respond_at(place));
    }

    let existing: Option<Json<Project>> = sqlx::query_scalar(concat!(
        "select ",
        json!("projects", "memberships.role"),
        " from projects join memberships on memberships.project_id = projects.id
         where projects.id = $1 and name = $2 and description = $3 and memberships.user_id = $4"
    ))
    .bind(id)
    .bind(new.name.as_str())
    .bind(new.description.as_str())
    .bind(caller.user)
    .fetch_optional(&mut *context.database.connection().await?)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(project) = existing.ok_or(Problem::IdTaken(WORD))?;
    let place = [(header::LOCATION, place(&project))];
    Ok((place, project.version.respond(StatusCode::OK, project)).into_response())
}

fn place(project: &Project) -> String {
    format!("/api/v1/projects/{}", project.id)
}

use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use tokio_postgres::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    effect::made,
    extract::{Body, Id},
    problem::Problem,
    project,
    router::Context,
    saved_filter::{Audience, SavedFilter, json, not_of_the_project, told_in},
    task::{Filter, VIEWERS_LOOK, of_the_project},
    text::Name,
    write::{Failed, Write, change},
};

/// More than anybody chooses from, of one's own and of the project's.
const MOST: i64 = 100;

/// What to save.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFilter {
    name: Name,
    /// For whom.
    audience: Audience,
    filter: Filter,
}

/// Save a filter
///
/// For oneself, as any member; for all members of the project, as an owner or editor.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/filters", operation_id = "create_filter", tag = "filters",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewFilter,
    responses(
        (status = 201, description = "Saved", body = SavedFilter),
        (status = 409, description = "There are too many already"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Body(new): Body<NewFilter>,
) -> Result<Response, Problem> {
    let whose = match new.audience {
        Audience::Me => Some(caller.user),
        Audience::Project => None,
    };
    let saved = Write::<SavedFilter>::new(
        &caller,
        "filter.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into saved_filters (id, project_id, user_id, name, filter)
                select $9, memberships.project_id, $11, $12, $13 from memberships
                where memberships.project_id = $10 and memberships.user_id = $1
                  and ($11::uuid is not null or memberships.role in ('owner', 'editor'))
                  and (select count(*) from saved_filters
                       where saved_filters.project_id = $10 and saved_filters.user_id is not distinct from $11) < $14
                  and ",
            of_the_project!("$10", "$15", "$16", "$17"),
            "
                returning *
             )",
            made!(told_in!("made"), json!("made"))
        ),
    )
    .bind(Uuid::now_v7())
    .bind(project_id)
    .bind(whose)
    .bind(String::from(new.name))
    .bind(Json(new.filter.clone()))
    .bind(MOST)
    .bind(Vec::from_iter(new.filter.named_assignee()))
    .bind(Vec::from_iter(new.filter.label()))
    .bind(new.filter.named_parent())
    .run(&context.database)
    .await;
    let saved = match saved {
        Ok(saved) => saved,
        // The project went away meanwhile.
        Err(Failed::Constraint(constraint)) if constraint == "saved_filters_project_id_fkey" => None,
        Err(failed) => return Err(failed.into()),
    };
    if let Some(done) = saved {
        return Ok(done.respond_at(|filter| format!("/api/v1/projects/{}/filters/{}", filter.project_id, filter.id)));
    }
    let role = project::role(&mut *context.database.connection().await?, &caller, project_id).await?;
    if whose.is_none() && !role.edits() {
        return Err(Problem::Forbidden(VIEWERS_LOOK));
    }
    let count: i64 = sqlx::query_scalar(
        "select count(*) from saved_filters where project_id = $1 and user_id is not distinct from $2",
    )
    .bind(project_id)
    .bind(whose)
    .fetch_one(&mut *context.database.connection().await?)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Err(if count < MOST {
        not_of_the_project()
    } else {
        Problem::Conflict("there are 100 filters already; delete one first")
    })
}

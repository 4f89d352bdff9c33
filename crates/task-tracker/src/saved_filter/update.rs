use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use tokio_postgres::types::Json;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    effect::changed,
    extract::{Body, Ids, present},
    problem::Problem,
    router::Context,
    saved_filter::{SavedFilter, json, refusal, told_in},
    task::{Filter, of_the_project},
    text::Name,
    version::IfMatch,
    write::{Write, change},
};

/// What to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = FilterChange, min_properties = 1)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    name: Option<Name>,
    /// All of it.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    filter: Option<Filter>,
}

/// Change a saved filter
///
/// One's own, or as an owner or editor one of all members. Pages that were begun by it begin anew.
#[utoipa::path(
    patch, path = "/api/v1/projects/{id}/filters/{filter_id}", operation_id = "update_filter", tag = "filters",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("filter_id" = Uuid, Path, description = "The filter"),
        ("if-match" = String, Header, description = "Its ETag: the filter's version in double quotes"),
    ),
    request_body = Change,
    responses((status = 200, description = "As it is now", body = SavedFilter)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, id): Ids,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    if change.name.is_none() && change.filter.is_none() {
        return Err(Problem::no_field());
    }
    let versions = if_match.versions();
    let changed = Write::<SavedFilter>::new(
        &caller,
        "filter.changed",
        StatusCode::OK,
        change!(
            "old as (
                select saved_filters.* from saved_filters
                join memberships on memberships.project_id = saved_filters.project_id
                where saved_filters.id = $9 and saved_filters.project_id = $10 and memberships.user_id = $1
                  and (saved_filters.user_id = $1
                       or (saved_filters.user_id is null and memberships.role in ('owner', 'editor')))
                  and ($11::bigint[] is null or saved_filters.version = any($11))
                  and ",
            of_the_project!("$10", "$14", "$15", "$16"),
            "
                for update of saved_filters
             ), new as (
                update saved_filters
                set name = coalesce($12, saved_filters.name), filter = coalesce($13, saved_filters.filter),
                    version = saved_filters.version + 1, updated_at = now()
                from old where saved_filters.id = old.id
                returning saved_filters.*
             )",
            changed!(told_in!("new"), json!("old"), json!("new"))
        ),
    )
    .bind(id)
    .bind(project_id)
    .bind(versions.clone())
    .bind(change.name.map(String::from))
    .bind(change.filter.clone().map(Json))
    .bind(Vec::from_iter(change.filter.as_ref().and_then(Filter::named_assignee)))
    .bind(Vec::from_iter(change.filter.as_ref().and_then(Filter::label)))
    .bind(change.filter.as_ref().and_then(Filter::named_parent))
    .run(&context.database)
    .await?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(
            &mut *context.database.connection().await?,
            &caller,
            (project_id, id),
            versions,
        )
        .await),
    }
}

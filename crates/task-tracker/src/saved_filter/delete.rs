use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Ids,
    problem::Problem,
    router::Context,
    saved_filter::{SavedFilter, json, refusal, told_in},
    version::IfMatch,
    write::{Write, change},
};

/// Delete a saved filter
///
/// One's own, or as an owner or editor one of all members.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/filters/{filter_id}", operation_id = "delete_filter", tag = "filters",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("filter_id" = Uuid, Path, description = "The filter"),
        ("if-match" = String, Header, description = "Its ETag: the filter's version in double quotes"),
    ),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, id): Ids,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let versions = if_match.versions();
    let deleted = Write::<SavedFilter>::new(
        &caller,
        "filter.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from saved_filters using memberships
                where saved_filters.id = $9 and saved_filters.project_id = $10
                  and memberships.project_id = saved_filters.project_id and memberships.user_id = $1
                  and (saved_filters.user_id = $1
                       or (saved_filters.user_id is null and memberships.role in ('owner', 'editor')))
                  and ($11::bigint[] is null or saved_filters.version = any($11))
                returning saved_filters.*
             )",
            gone!(told_in!("gone"), json!("gone"))
        ),
    )
    .bind(id)
    .bind(project_id)
    .bind(versions.clone())
    .run(&context.database)
    .await?;
    match deleted {
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

use axum::{Json, extract::State};

use crate::{
    access::Caller,
    extract::{Id, Params},
    page::{Listing, Page, Which},
    problem::Problem,
    project,
    router::Context,
    saved_filter::{SavedFilter, json},
};

/// List the filters saved in a project
///
/// One's own, and those of all its members.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/filters", operation_id = "list_filters", tag = "filters",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<SavedFilter>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<SavedFilter>>, Problem> {
    let listing = Listing::of(project_id, "filters", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |filter: &SavedFilter| filter.id)
        .await?;
    if page.is_empty() {
        // Somebody else's project is no project without filters.
        project::role(&mut *context.database.connection().await?, &caller, project_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("saved_filters"),
    " from saved_filters
     where project_id = $1 and id > $2 and (user_id is null or user_id = $4)
       and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $4)
     order by id limit $3"
);

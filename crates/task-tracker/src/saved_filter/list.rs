use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of, of_a_project},
    extract::{Id, Params},
    page::{Page, Which},
    problem::Problem,
    router::Context,
    saved_filter::{SavedFilter, json},
};

const FILTERS: Belongings<SavedFilter> = Belongings {
    what: "filters",
    of: Of::Project,
    sql: of_a_project!(
        "saved_filters",
        json!("saved_filters"),
        "(user_id is null or user_id = $4)"
    ),
    id: |filter| filter.id,
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
    FILTERS.page(&context, &caller, project_id, &which).await
}

use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of, of_a_project},
    extract::{Id, Params},
    label::{Label, json},
    page::{Page, Which},
    problem::Problem,
    router::Context,
};

const LABELS: Belongings<Label> = Belongings {
    what: "labels",
    of: Of::Project,
    sql: of_a_project!("labels", json!("labels")),
    id: |label| label.id,
};

/// List the labels of a project
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/labels", operation_id = "list_labels", tag = "labels",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Label>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Label>>, Problem> {
    LABELS.page(&context, &caller, project_id, &which).await
}

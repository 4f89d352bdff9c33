use axum::{Json, extract::State};

use crate::{
    access::Caller,
    extract::{Id, Params},
    label::{Label, json},
    page::{Listing, Page, Which},
    problem::Problem,
    project,
    router::Context,
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
    let listing = Listing::of(project_id, "labels", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |label: &Label| label.id)
        .await?;
    if page.is_empty() {
        // Somebody else's project is no empty project.
        project::role(&mut *context.database.connection().await?, &caller, project_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("labels"),
    " from labels
     where project_id = $1 and id > $2
       and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $4)
     order by id limit $3"
);

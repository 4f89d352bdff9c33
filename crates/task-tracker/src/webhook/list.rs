use axum::{Json, extract::State};

use crate::{
    access::Caller,
    extract::{Id, Params},
    page::{Listing, Page, Which},
    problem::Problem,
    project,
    router::Context,
    webhook::{Webhook, json},
};

/// List the webhooks of a project
///
/// For owners.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Webhook>)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Webhook>>, Problem> {
    context.webhooks()?;
    let listing = Listing::of(project_id, "webhooks", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |webhook: &Webhook| webhook.id)
        .await?;
    if page.is_empty() {
        project::require_owner(&mut *context.database.connection().await?, &caller, project_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("webhooks"),
    " from webhooks
     where project_id = $1 and id > $2
       and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $4
                                             and memberships.role = 'owner')
     order by id limit $3"
);

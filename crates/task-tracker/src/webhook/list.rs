use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of, of_an_own_project},
    extract::{Id, Params},
    page::{Page, Which},
    problem::Problem,
    router::Context,
    webhook::{Webhook, json},
};

const WEBHOOKS: Belongings<Webhook> = Belongings {
    what: "webhooks",
    of: Of::OwnProject,
    sql: of_an_own_project!("webhooks", json!("webhooks")),
    id: |webhook| webhook.id,
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
    WEBHOOKS.page(&context, &caller, project_id, &which).await
}

use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of, of_an_own_project},
    extract::{Id, Params},
    invitation::{Invitation, json},
    page::{Page, Which},
    problem::Problem,
    router::Context,
};

const INVITATIONS: Belongings<Invitation> = Belongings {
    what: "invitations",
    of: Of::OwnProject,
    sql: of_an_own_project!("invitations", json!("invitations")),
    id: |invitation| invitation.id,
};

/// List the invitations into a project
///
/// For owners. Those that have expired included, until they are revoked.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/invitations", operation_id = "list_invitations", tag = "members",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Invitation>)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Invitation>>, Problem> {
    INVITATIONS.page(&context, &caller, project_id, &which).await
}

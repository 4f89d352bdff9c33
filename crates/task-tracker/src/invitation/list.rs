use axum::{Json, extract::State};

use crate::{
    access::Caller,
    extract::{Id, Params},
    invitation::{Invitation, json},
    page::{Listing, Page, Which},
    problem::Problem,
    project,
    router::Context,
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
    let listing = Listing::of(project_id, "invitations", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |invitation: &Invitation| invitation.id)
        .await?;
    if page.is_empty() {
        project::require_owner(&mut *context.database.connection().await?, &caller, project_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("invitations"),
    " from invitations
     where project_id = $1 and id > $2
       and exists (select from memberships
                   where memberships.project_id = $1 and memberships.user_id = $4 and memberships.role = 'owner')
     order by id limit $3"
);

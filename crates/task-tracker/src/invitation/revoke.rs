use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Ids,
    invitation::{Invitation, WORD, json},
    problem::Problem,
    project,
    router::Context,
    write::{Write, change},
};

/// Revoke an invitation
///
/// For owners.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/invitations/{invitation_id}", operation_id = "revoke_invitation",
    tag = "members",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("invitation_id" = Uuid, Path, description = "The invitation"),
    ),
    responses((status = 204, description = "Revoked")),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn revoke(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, id): Ids,
) -> Result<Response, Problem> {
    let revoked = Write::<Invitation>::new(
        &caller,
        "invitation.revoked",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from invitations using memberships
                where invitations.id = $10 and invitations.project_id = $9
                  and memberships.project_id = $9 and memberships.user_id = $1 and memberships.role = 'owner'
                returning invitations.*
             )",
            gone!("project_id", json!("gone"))
        ),
    )
    .bind(project_id)
    .bind(id)
    .run(&context.database)
    .await?;
    if let Some(done) = revoked {
        return Ok(done.respond_plainly());
    }
    project::require_owner(&mut *context.database.connection().await?, &caller, project_id).await?;
    Err(Problem::NoSuch(WORD))
}

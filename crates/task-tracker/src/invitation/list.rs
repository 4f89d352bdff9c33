use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::{Id, Params},
    invitation::{Invitation, json},
    page::{self, Page, Which},
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
    let list = format!("invitations/{project_id}");
    let after = page::start(which.cursor.as_deref(), &list)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Invitation>> = sqlx::query_scalar(concat!(
        "select ",
        json!("invitations"),
        " from invitations
         where project_id = $1 and id > $2
           and exists (select from memberships
                       where memberships.project_id = $1 and memberships.user_id = $4 and memberships.role = 'owner')
         order by id limit $3"
    ))
    .bind(project_id)
    .bind(after)
    .bind(which.limit.and_one())
    .bind(caller.user)
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if rows.is_empty() {
        project::require_owner(&mut connection, &caller, project_id).await?;
    }
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, &list, |invitation: &Invitation| {
        invitation.id
    })))
}

use axum::{Json, extract::State};

use crate::{
    access::Caller,
    extract::{Id, Params},
    member::{Member, json},
    page::{Listing, Page, Which},
    problem::Problem,
    project,
    router::Context,
};

/// List the members of a project
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/members", operation_id = "list_members", tag = "members",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Member>)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Member>>, Problem> {
    let listing = Listing::of(project_id, "members", &which)?;
    let page = listing
        .read(&context.database, &caller, SQL, |member: &Member| member.user_id)
        .await?;
    if page.is_empty() {
        // Somebody else's project is no empty project.
        project::role(&mut *context.database.connection().await?, &caller, project_id).await?;
    }
    Ok(Json(page))
}

const SQL: &str = concat!(
    "select ",
    json!("memberships", "users"),
    " from memberships join users on users.id = memberships.user_id
     where memberships.project_id = $1 and memberships.user_id > $2
       and exists (select from memberships as own where own.project_id = $1 and own.user_id = $4)
     order by memberships.user_id limit $3"
);

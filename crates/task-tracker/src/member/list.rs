use axum::{Json, extract::State};

use crate::{
    access::Caller,
    belongings::{Belongings, Of},
    extract::{Id, Params},
    member::{Member, json},
    page::{Page, Which},
    problem::Problem,
    router::Context,
};

const MEMBERS: Belongings<Member> = Belongings {
    what: "members",
    of: Of::Project,
    sql: concat!(
        "select ",
        json!("memberships", "users"),
        " from memberships join users on users.id = memberships.user_id
         where memberships.project_id = $1 and memberships.user_id > $2
           and exists (select from memberships as own where own.project_id = $1 and own.user_id = $4)
         order by memberships.user_id limit $3"
    ),
    id: |member| member.user_id,
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
    MEMBERS.page(&context, &caller, project_id, &which).await
}

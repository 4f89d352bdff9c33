use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::{Id, Params},
    member::{Member, json},
    page::{self, Page, Which},
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
    let list = format!("members/{project_id}");
    let after = page::start(which.cursor.as_deref(), &list)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Member>> = sqlx::query_scalar(concat!(
        "select ",
        json!("memberships", "users"),
        " from memberships join users on users.id = memberships.user_id
         where memberships.project_id = $1 and memberships.user_id > $2
           and exists (select from memberships as own where own.project_id = $1 and own.user_id = $4)
         order by memberships.user_id limit $3"
    ))
    .bind(project_id)
    .bind(after)
    .bind(which.limit.and_one())
    .bind(caller.user)
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if rows.is_empty() {
        // Somebody else's project is no empty project.
        project::role(&mut connection, &caller, project_id).await?;
    }
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, &list, |member: &Member| {
        member.user_id
    })))
}

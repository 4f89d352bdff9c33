use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::Params,
    page::{self, Page, Which},
    problem::Problem,
    project::{Project, json},
    router::Context,
};

const LIST: &str = "projects";

/// List one's projects
///
/// In the order of their ids; those that the service chose sort by time.
#[utoipa::path(
    get, path = "/api/v1/projects", operation_id = "list_projects", tag = "projects",
    params(Which),
    responses((status = 200, description = "A page of them", body = Page<Project>)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Params(which): Params<Which>,
) -> Result<Json<Page<Project>>, Problem> {
    let after = page::start(which.cursor.as_deref(), LIST)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Project>> = sqlx::query_scalar(concat!(
        "select ",
        json!("projects", "memberships.role"),
        " from memberships join projects on projects.id = memberships.project_id
         where memberships.user_id = $1 and memberships.project_id > $2 order by memberships.project_id limit $3"
    ))
    .bind(caller.user)
    .bind(after)
    .bind(which.limit.and_one())
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, LIST, |project: &Project| project.id)))
}

use axum::{Json, extract::State};
use serde::Deserialize;
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::{Id, Params},
    page::{self, Limit, Page},
    problem::Problem,
    project,
    router::Context,
    task::{Status, Task, json},
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// How many at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// From the page before.
    cursor: Option<String>,
    /// Only those of this status.
    #[param(inline)]
    status: Option<Status>,
}

/// List the tasks of a project
///
/// In the order of their ids; those that the service chose sort by time.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/tasks", operation_id = "list_tasks", tag = "tasks",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Task>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Task>>, Problem> {
    let status = which.status.map(Status::as_str);
    let list = format!("tasks/{project_id}/{}", status.unwrap_or("any"));
    let after = page::start(which.cursor.as_deref(), &list)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Task>> = sqlx::query_scalar(concat!(
        "select ",
        json!("tasks"),
        " from tasks
         where project_id = $1 and id > $2 and ($3::text is null or status = $3)
           and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $5)
         order by id limit $4"
    ))
    .bind(project_id)
    .bind(after)
    .bind(status)
    .bind(which.limit.and_one())
    .bind(caller.user)
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if rows.is_empty() {
        // An empty page of a project is not the same as no project.
        project::role(&mut connection, &caller, project_id).await?;
    }
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, &list, |task: &Task| task.id)))
}

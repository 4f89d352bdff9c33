//! `GET /api/v1/projects/{id}/tasks`, in the order of their ids, of one status if asked

use axum::{Json, extract::State};
use serde::Deserialize;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    extract::{Id, Params},
    page::{self, Limit, Page},
    problem::Problem,
    project,
    router::Context,
    task::{Status, Task},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
    status: Option<Status>,
}

pub(crate) async fn list(
    State(context): State<Context>,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Task>>, Problem> {
    let status = which.status.map(Status::as_str);
    let list = format!("tasks/{project_id}/{}", status.unwrap_or("any"));
    let after = page::start(which.cursor.as_deref(), &list)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Task> = sqlx::query_as(
        "select id, project_id, title, description, status, version, created_at, updated_at from tasks
         where project_id = $1 and id > $2 and ($3::text is null or status = $3) order by id limit $4",
    )
    .bind(project_id)
    .bind(after)
    .bind(status)
    .bind(which.limit.and_one())
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if rows.is_empty() {
        require_project(&mut connection, project_id).await?;
    }
    Ok(Json(Page::cut(rows, which.limit, &list, |task| task.id)))
}

/// An empty page of a project is not the same as no project.
async fn require_project(connection: &mut PgConnection, id: Uuid) -> Result<(), Problem> {
    let exists: bool = sqlx::query_scalar("select exists (select from projects where id = $1)")
        .bind(id)
        .fetch_one(connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    if exists {
        Ok(())
    } else {
        Err(Problem::NoSuch(project::WORD))
    }
}

//! `POST /api/v1/projects/{id}/tasks`

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Deserialize;
use sqlx::{PgConnection, error::DatabaseError};
use uuid::Uuid;

use crate::{
    extract::{Body, ChosenId, Id},
    problem::Problem,
    project,
    router::Context,
    task::{Status, Task, WORD},
    text::{Name, Prose},
};

/// With an id of its own choice a client may repeat the request after a lost answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTask {
    id: Option<ChosenId>,
    title: Name,
    #[serde(default)]
    description: Prose,
    #[serde(default)]
    status: Status,
}

pub(crate) async fn create(
    State(context): State<Context>,
    Id(project_id): Id,
    Body(new): Body<NewTask>,
) -> Result<Response, Problem> {
    let id = ChosenId::or_new(new.id);
    let mut connection = context.database.connection().await?;
    if let Some(task) = insert(&mut connection, id, project_id, &new).await? {
        return respond(StatusCode::CREATED, task);
    }
    if let Some(task) = same(&mut connection, id, project_id, &new).await? {
        return respond(StatusCode::OK, task);
    }
    let project_exists: bool = sqlx::query_scalar("select exists (select from projects where id = $1)")
        .bind(project_id)
        .fetch_one(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    Err(if project_exists {
        Problem::IdTaken(WORD)
    } else {
        Problem::NoSuch(project::WORD)
    })
}

/// Nothing comes back when the id is taken or the project is not there.
async fn insert(
    connection: &mut PgConnection,
    id: Uuid,
    project_id: Uuid,
    new: &NewTask,
) -> Result<Option<Task>, Problem> {
    let inserted = sqlx::query_as(
        "insert into tasks (id, project_id, title, description, status)
         select $1, projects.id, $3, $4, $5 from projects where projects.id = $2
         on conflict (id) do nothing
         returning id, project_id, title, description, status, version, created_at, updated_at",
    )
    .bind(id)
    .bind(project_id)
    .bind(new.title.as_str())
    .bind(new.description.as_str())
    .bind(new.status.as_str())
    .fetch_optional(connection)
    .await;
    match inserted {
        // The project went away between the select and the check of the foreign key.
        Err(cause)
            if cause
                .as_database_error()
                .is_some_and(DatabaseError::is_foreign_key_violation) =>
        {
            Ok(None)
        }
        inserted => inserted.map_err(|cause| Problem::of_database(&cause)),
    }
}

async fn same(
    connection: &mut PgConnection,
    id: Uuid,
    project_id: Uuid,
    new: &NewTask,
) -> Result<Option<Task>, Problem> {
    sqlx::query_as(
        "select id, project_id, title, description, status, version, created_at, updated_at from tasks
         where id = $1 and project_id = $2 and title = $3 and description = $4 and status = $5",
    )
    .bind(id)
    .bind(project_id)
    .bind(new.title.as_str())
    .bind(new.description.as_str())
    .bind(new.status.as_str())
    .fetch_optional(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

fn respond(status: StatusCode, task: Task) -> Result<Response, Problem> {
    let location = HeaderValue::from_str(&format!("/api/v1/tasks/{}", task.id)).map_err(|_| Problem::Internal)?;
    let mut response = task.version.respond(status, task);
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}

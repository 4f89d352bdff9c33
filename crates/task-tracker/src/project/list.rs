//! `GET /api/v1/projects`, in the order of their ids: those the service gives sort by time.

use axum::{Json, extract::State};
use serde::Deserialize;

use crate::{
    extract::Params,
    page::{self, Limit, Page},
    problem::Problem,
    project::Project,
    router::Context,
};

const LIST: &str = "projects";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

pub(crate) async fn list(
    State(context): State<Context>,
    Params(which): Params<Which>,
) -> Result<Json<Page<Project>>, Problem> {
    let after = page::start(which.cursor.as_deref(), LIST)?;
    let mut connection = context.database.connection().await?;
    let rows = sqlx::query_as(
        "select id, name, description, version, created_at, updated_at from projects
         where id > $1 order by id limit $2",
    )
    .bind(after)
    .bind(which.limit.and_one())
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Ok(Json(Page::cut(rows, which.limit, LIST, |project: &Project| project.id)))
}

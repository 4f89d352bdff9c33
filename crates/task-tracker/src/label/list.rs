use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::{Id, Params},
    label::{Label, json},
    page::{self, Page, Which},
    problem::Problem,
    project,
    router::Context,
};

/// List the labels of a project
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/labels", operation_id = "list_labels", tag = "labels",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of them", body = Page<Label>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Label>>, Problem> {
    let list = format!("labels/{project_id}");
    let after = page::start(which.cursor.as_deref(), &list)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Label>> = sqlx::query_scalar(concat!(
        "select ",
        json!("labels"),
        " from labels
         where project_id = $1 and id > $2
           and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $4)
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
        // Somebody else's project is no empty project.
        project::role(&mut connection, &caller, project_id).await?;
    }
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, &list, |label: &Label| label.id)))
}

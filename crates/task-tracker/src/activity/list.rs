use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    activity::{Activity, feed::Place, heard_by, json},
    extract::{Id, Params},
    page::{self, Page, Which},
    problem::Problem,
    project,
    router::Context,
};

/// List what happened in a project
///
/// The latest first. Owners also read of invitations and webhooks.
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/activity", operation_id = "list_activity", tag = "activity",
    params(("id" = Uuid, Path, description = "The project"), Which),
    responses((status = 200, description = "A page of it", body = Page<Activity>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Activity>>, Problem> {
    let list = format!("activity/{project_id}");
    let before: Option<String> = page::behind(which.cursor.as_deref(), &list)?;
    let before = before.as_deref().and_then(Place::parse).unwrap_or(Place::END);
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Activity>> = sqlx::query_scalar(concat!(
        "select ",
        json!(),
        " from events
         where project_id = $1 and (tx, id) < ($2::text::xid8, $3)
           and exists (select from memberships where memberships.project_id = $1 and memberships.user_id = $5)
           and ",
        heard_by!("$5"),
        "
         order by tx desc, id desc limit $4"
    ))
    .bind(project_id)
    .bind(before.transaction.to_string())
    .bind(before.event)
    .bind(which.limit.and_one())
    .bind(caller.user)
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if rows.is_empty() {
        // Somebody else's project is no quiet project.
        project::role(&mut connection, &caller, project_id).await?;
    }
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, &list, |activity: &Activity| {
        activity.id.clone()
    })))
}

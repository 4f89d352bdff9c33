use axum::{extract::State, response::Response};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::Ids,
    label::{Label, WORD, json},
    problem::Problem,
    project,
    router::Context,
    version::IfNoneMatch,
};

/// See a label
#[utoipa::path(
    get, path = "/api/v1/projects/{id}/labels/{label_id}", operation_id = "get_label", tag = "labels",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("label_id" = Uuid, Path, description = "The label"),
        ("if-none-match" = Option<String>, Header, description = "The ETag of what is known already"),
    ),
    responses((status = 200, description = "It", body = Label)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn get(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, id): Ids,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let found: Option<Row<Label>> = sqlx::query_scalar(concat!(
        "select ",
        json!("labels"),
        " from labels where id = $1 and project_id = $2
            and exists (select from memberships where memberships.project_id = $2 and memberships.user_id = $3)"
    ))
    .bind(id)
    .bind(project_id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Some(Row(found)) = found else {
        project::role(&mut connection, &caller, project_id).await?;
        return Err(Problem::NoSuch(WORD));
    };
    Ok(known.respond(found))
}

//! `DELETE /api/v1/projects/{id}` with If-Match; its tasks go with it

use axum::{extract::State, http::StatusCode};

use crate::{extract::Id, problem::Problem, project::refusal, router::Context, version::IfMatch};

pub(crate) async fn delete(
    State(context): State<Context>,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<StatusCode, Problem> {
    let mut connection = context.database.connection().await?;
    let deleted = sqlx::query("delete from projects where id = $1 and ($2::bigint[] is null or version = any($2))")
        .bind(id)
        .bind(if_match.versions())
        .execute(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    match deleted.rows_affected() {
        0 => Err(refusal(&mut connection, id).await),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

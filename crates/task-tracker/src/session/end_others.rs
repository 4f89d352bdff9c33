use axum::{extract::State, http::StatusCode};

use crate::{access::Caller, problem::Problem, router::Context};

/// End all sessions but this one
#[utoipa::path(
    delete, path = "/api/v1/sessions", operation_id = "end_other_sessions", tag = "sessions",
    responses((status = 204, description = "Ended")),
    security(("session" = [])),
)]
pub(crate) async fn end_others(State(context): State<Context>, caller: Caller) -> Result<StatusCode, Problem> {
    let own = caller.session()?;
    let mut connection = context.database.connection().await?;
    sqlx::query(
        "with gone as (delete from sessions where user_id = $1 and id <> $2 returning id)
         insert into events (actor_id, action, target_id, request_id) select $1, 'session.ended', id, $3 from gone",
    )
    .bind(caller.user)
    .bind(own)
    .bind(&caller.request_id)
    .execute(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Ok(StatusCode::NO_CONTENT)
}

//! `/livez` and `/readyz`: whether to restart this task, and whether to send it traffic.

use axum::{extract::State, http::StatusCode};

use crate::{problem::Problem, router::Context};

/// The process runs. Never asks the database: a task restarted because PostgreSQL is away helps nobody.
pub(crate) async fn live() -> StatusCode {
    StatusCode::OK
}

/// The database answers and this task is not about to end.
pub(crate) async fn ready(State(context): State<Context>) -> Result<StatusCode, Problem> {
    if context.lifecycle.is_draining() {
        return Err(Problem::Draining);
    }
    context
        .database
        .answers()
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    Ok(StatusCode::OK)
}

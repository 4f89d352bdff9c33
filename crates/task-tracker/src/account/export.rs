use axum::{Json, extract::State};
use serde_json::Value;

use crate::{access::Caller, personal, problem::Problem, router::Context};

/// Get everything that is kept about oneself
///
/// A user may have two exports or imports under way at a time.
#[utoipa::path(
    get, path = "/api/v1/me/export", operation_id = "export_me", tag = "accounts",
    responses((status = 200, description = "The account, sessions, tokens, projects, tasks, comments, filters, reminders, notifications and activity", body = Object)),
    security(("session" = [])),
)]
pub(crate) async fn export(State(context): State<Context>, caller: Caller) -> Result<Json<Value>, Problem> {
    let _turn = context.heavy.begin(caller.user)?;
    let _place = context.heavy.place().await?;
    let mut connection = context.database.connection().await?;
    let kept = personal::export(&mut connection, caller.user)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    kept.map(Json).ok_or(Problem::Unauthenticated)
}

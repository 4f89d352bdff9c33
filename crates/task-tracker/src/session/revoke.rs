use axum::{extract::State, response::Response};

use crate::{
    access::Caller,
    extract::Id,
    problem::Problem,
    router::Context,
    session::{WORD, end},
};

/// End a session
#[utoipa::path(
    delete, path = "/api/v1/sessions/{id}", operation_id = "revoke_session", tag = "sessions",
    params(("id" = Uuid, Path, description = "The session")),
    responses((status = 204, description = "Ended")),
    security(("session" = [])),
)]
pub(crate) async fn revoke(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let ended = end(&context.database, &caller, id).await?;
    ended.map_or(Err(Problem::NoSuch(WORD)), |done| Ok(done.respond_plainly()))
}

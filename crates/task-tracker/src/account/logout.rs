use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    access::{Caller, cookie},
    problem::Problem,
    router::Context,
    session,
};

/// Log out
///
/// Ends the session of this request.
#[utoipa::path(
    delete, path = "/api/v1/session", operation_id = "logout", tag = "accounts",
    responses((status = 204, description = "Logged out")),
    security(("session" = [])),
)]
pub(crate) async fn logout(State(context): State<Context>, caller: Caller) -> Result<Response, Problem> {
    let own = caller.session()?;
    // Ended by another request meanwhile: just as well.
    session::end(&context.database, &caller, own).await?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie::END);
    Ok(response)
}

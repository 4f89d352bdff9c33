use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    api_token::{ApiToken, WORD, json},
    effect::gone,
    extract::Id,
    problem::Problem,
    router::Context,
    write::{Write, change},
};

/// Revoke an API token
#[utoipa::path(
    delete, path = "/api/v1/tokens/{id}", operation_id = "revoke_token", tag = "tokens",
    params(("id" = Uuid, Path, description = "The token's id, not the token")),
    responses((status = 204, description = "Revoked")),
    security(("session" = [])),
)]
pub(crate) async fn revoke(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let revoked = Write::<ApiToken>::new(
        &caller,
        "token.revoked",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from api_tokens where id = $9 and user_id = $1 returning *
             )",
            gone!("null::uuid", json!("gone"))
        ),
    )
    .bind(id)
    .run(&context.database)
    .await?;
    revoked.map_or(Err(Problem::NoSuch(WORD)), |done| Ok(done.respond_plainly()))
}

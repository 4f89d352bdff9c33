use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use sqlx::types::Json;

use crate::{
    access::cookie,
    account::{
        Beginning, User, json,
        proof::{self, Login},
    },
    extract::{Body, Client},
    problem::Problem,
    router::Context,
    telemetry::RequestId,
};

/// Keep an account that is to be erased
///
/// Takes the erasure back, up to the moment that `leave` named, and begins a session, in a cookie. Sessions and API tokens from
/// before stay ended, and the one that the request came with ends. As with logging in, a wrong password, an address without an account and one that was erased look the
/// same and take the same time.
#[utoipa::path(
    post, path = "/api/v1/accounts/restore", operation_id = "restore_account", tag = "accounts",
    request_body = Login,
    responses(
        (status = 200, description = "It stays, and is logged in to", body = User),
        (status = 401, description = "No account has this e-mail address and password"),
        (status = 409, description = "The account is not about to be erased; log in instead"),
    ),
    security(()),
)]
pub(crate) async fn restore(
    State(context): State<Context>,
    Client(from): Client,
    request_id: RequestId,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Result<Response, Problem> {
    let proof = proof::of(
        &context,
        (from, &request_id),
        login,
        "select id, password_hash from users where email = $1 and (erase_after is null or erase_after > now())",
    )
    .await?;
    let session = Beginning::of(&headers)?;
    let mut connection = context.database.connection().await?;
    let user: Option<Json<User>> = sqlx::query_scalar(concat!(
        "with kept as (
            update users set erase_after = null, version = version + 1, updated_at = now()
            where id = $1 and password_hash = $2 and erase_after > now()
            returning *
         ), begun as (
            insert into sessions (id, user_id, token_sha256, user_agent, expires_at)
            select $3, id, $4, $5, now() + make_interval(days => $6) from kept
         ), ended as (
            delete from sessions using kept where sessions.token_sha256 = $8 returning sessions.id, sessions.user_id
         ), recorded as (
            insert into events (actor_id, action, target_id, request_id)
            select id, 'account.restored', id, $7 from kept
            union all
            select id, 'session.begun', $3, $7 from kept
            union all
            select user_id, 'session.ended', id, $7 from ended
         )
         select ",
        json!("kept"),
        " from kept"
    ))
    .bind(proof.user)
    .bind(&proof.verified)
    .bind(session.id)
    .bind(session.fingerprint())
    .bind(&session.user_agent)
    .bind(cookie::DAYS)
    .bind(request_id.to_string())
    .bind(session.replaced())
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(user) = user.ok_or(Problem::Conflict(
        "this account is not about to be erased; log in instead",
    ))?;
    session.hand_over(StatusCode::OK, user)
}

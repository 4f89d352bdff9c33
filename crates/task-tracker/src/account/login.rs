use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use sqlx::{PgConnection, types::Json};

use crate::{
    access::cookie,
    account::{
        Beginning, User, json,
        proof::{self, Login, Proof},
    },
    extract::{Body, Client},
    problem::Problem,
    router::Context,
    telemetry::RequestId,
};

/// Log in
///
/// The answer begins a session, in a cookie; one that the request came with ends. A wrong password and an address without an account look the same and take
/// the same time.
#[utoipa::path(
    post, path = "/api/v1/session", operation_id = "login", tag = "accounts",
    request_body = Login,
    responses(
        (status = 200, description = "Logged in", body = User),
        (status = 401, description = "No account has this e-mail address and password"),
    ),
    security(()),
)]
pub(crate) async fn login(
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
        "select id, password_hash from users where email = $1 and erase_after is null",
    )
    .await?;
    let mut connection = context.database.connection().await?;
    begin(&mut connection, &proof, &headers, &request_id).await
}

/// Nothing begins when the password was changed since it was verified.
async fn begin(
    connection: &mut PgConnection,
    proof: &Proof,
    headers: &HeaderMap,
    request_id: &RequestId,
) -> Result<Response, Problem> {
    let session = Beginning::of(headers)?;
    let user: Option<Json<User>> = sqlx::query_scalar(concat!(
        "with begun as (
            insert into sessions (id, user_id, token_sha256, user_agent, expires_at)
            select $3, id, $4, $5, now() + make_interval(days => $6) from users
            where id = $1 and password_hash = $2
            returning id, user_id
         ), ended as (
            delete from sessions using begun where sessions.token_sha256 = $8 returning sessions.id, sessions.user_id
         ), recorded as (
            insert into events (actor_id, action, target_id, request_id)
            select user_id, 'session.begun', id, $7 from begun
            union all select user_id, 'session.ended', id, $7 from ended
         )
         select ",
        json!("users"),
        " from users join begun on begun.user_id = users.id"
    ))
    .bind(proof.user)
    .bind(&proof.verified)
    .bind(session.id)
    .bind(session.fingerprint())
    .bind(&session.user_agent)
    .bind(cookie::DAYS)
    .bind(request_id.to_string())
    .bind(session.replaced())
    .fetch_optional(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(user) = user.ok_or(Problem::WrongCredentials)?;
    session.hand_over(StatusCode::OK, user)
}

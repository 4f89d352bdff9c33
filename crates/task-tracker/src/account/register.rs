use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use sqlx::types::Json;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{cookie, password::NewPassword, throttle::Limit},
    account::{Beginning, User, json, limits},
    extract::{Body, Client},
    problem::Problem,
    router::Context,
    telemetry::RequestId,
    text::{Email, Name},
};

/// A new user.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    email: Email,
    name: Name,
    /// At least 10 characters, and not quickly guessed: not on lists of leaked ones, nor made of such, of what one is called, dates or
    /// keys in a row. Several unrelated words will do.
    password: NewPassword,
}

/// Register
///
/// The answer begins a session, in a cookie; one that the request came with ends.
#[utoipa::path(
    post, path = "/api/v1/accounts", operation_id = "register", tag = "accounts",
    request_body = NewAccount,
    responses(
        (status = 201, description = "Registered and logged in", body = User),
        (status = 409, description = "This e-mail address has an account"),
    ),
    security(()),
)]
pub(crate) async fn register(
    State(context): State<Context>,
    Client(from): Client,
    request_id: RequestId,
    headers: HeaderMap,
    Body(new): Body<NewAccount>,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    Limit::charge(&limits::of_registration(from), &mut connection).await?;
    // A hash takes its time; the connection is for others meanwhile.
    drop(connection);
    let own = [new.email.as_str(), new.name.as_str()].map(str::to_owned);
    let hash = context.passwords.accept(new.password, own).await?;

    let session = Beginning::of(&headers)?;
    let mut connection = context.database.connection().await?;
    let user: Option<Json<User>> = sqlx::query_scalar(concat!(
        "with made as (
            insert into users (id, email, name, password_hash) values ($1, $2, $3, $4)
            on conflict (email) do nothing returning *
         ), begun as (
            insert into sessions (id, user_id, token_sha256, user_agent, expires_at)
            select $5, id, $6, $7, now() + make_interval(days => $8) from made
         ), ended as (
            delete from sessions using made where sessions.token_sha256 = $10 returning sessions.id, sessions.user_id
         ), recorded as (
            insert into events (actor_id, action, target_id, request_id)
            select id, 'account.registered', id, $9 from made
            union all select user_id, 'session.ended', id, $9 from ended
         )
         select ",
        json!("made"),
        " from made"
    ))
    .bind(Uuid::now_v7())
    .bind(new.email.as_str())
    .bind(new.name.as_str())
    .bind(hash)
    .bind(session.id)
    .bind(session.fingerprint())
    .bind(&session.user_agent)
    .bind(cookie::DAYS)
    .bind(request_id.to_string())
    .bind(session.replaced())
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Json(user) = user.ok_or(Problem::Conflict("this e-mail address has an account"))?;
    session.hand_over(StatusCode::CREATED, user)
}

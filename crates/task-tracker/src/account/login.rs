use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        cookie,
        password::{Password, Verdict},
        throttle::Limit,
    },
    account::{Beginning, User, json, limits},
    extract::{Body, Client},
    problem::Problem,
    router::Context,
    telemetry::RequestId,
    text::Email,
};

/// Who somebody says they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    email: Email,
    password: Password,
}

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
    let counts = limits::of_login(login.email.as_str(), from);
    let mut connection = context.database.connection().await?;
    Limit::charge(&counts, &mut connection).await?;
    let account: Option<(Uuid, String)> =
        sqlx::query_as("select id, password_hash from users where email = $1 and erase_after is null")
            .bind(login.email.as_str())
            .fetch_optional(&mut *connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
    // A hash takes its time; the connection is for others meanwhile.
    drop(connection);
    let (id, hash) = account.unzip();
    let verdict = context.passwords.verify(login.password, hash.clone()).await?;

    let mut connection = context.database.connection().await?;
    match (id, hash, verdict) {
        (Some(id), Some(hash), Verdict::Right) => {
            let [(_, own), ..] = &counts;
            Limit::forgive(own, &mut connection).await?;
            begin(&mut connection, id, &hash, &headers, &request_id).await
        }
        (id, ..) => {
            // The same statement for an account and for none.
            record_refusal(&mut connection, id, &request_id).await?;
            Err(Problem::WrongCredentials)
        }
    }
}

/// Nothing begins when the password was changed since it was verified.
async fn begin(
    connection: &mut PgConnection,
    user: Uuid,
    verified: &str,
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
    .bind(user)
    .bind(verified)
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

async fn record_refusal(
    connection: &mut PgConnection,
    user: Option<Uuid>,
    request_id: &RequestId,
) -> Result<(), Problem> {
    sqlx::query("insert into events (action, target_id, request_id) values ('session.refused', $1, $2)")
        .bind(user)
        .bind(request_id.to_string())
        .execute(connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    Ok(())
}

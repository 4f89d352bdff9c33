use axum::{
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        Caller, cookie,
        password::{NewPassword, Password, Verdict},
        throttle::Limit,
    },
    account::{Beginning, limits},
    extract::Body,
    problem::Problem,
    router::Context,
};

/// The old password and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordChange {
    current: Password,
    /// At least 10 characters, and not quickly guessed: not on lists of leaked ones, nor made of such, of what one is called, dates or
    /// keys in a row. Several unrelated words will do.
    new: NewPassword,
    /// Whether the API tokens of the user end as well, as they should when somebody else may have had the old password.
    #[serde(default)]
    #[schema(default = false)]
    revoke_tokens: bool,
}

/// Change one's password
///
/// Ends every session of the user; the answer begins a new one, in a cookie. API tokens go on, unless `revoke_tokens` is
/// true.
#[utoipa::path(
    post, path = "/api/v1/me/password", operation_id = "change_password", tag = "accounts",
    request_body = PasswordChange,
    responses((status = 204, description = "Changed")),
    security(("session" = [])),
)]
pub(crate) async fn change_password(
    State(context): State<Context>,
    caller: Caller,
    headers: HeaderMap,
    Body(change): Body<PasswordChange>,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    Limit::charge(&limits::of_password_change(caller.user), &mut connection).await?;
    let (email, name, kept): (String, String, String) =
        sqlx::query_as("select email, name, password_hash from users where id = $1")
            .bind(caller.user)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?
            .ok_or(Problem::Unauthenticated)?;
    // A hash takes its time; the connection is for others meanwhile.
    drop(connection);
    let verdict = context.passwords.verify(change.current, Some(kept.clone())).await?;
    if verdict == Verdict::Wrong {
        return Err(Problem::Forbidden("the current password is another"));
    }
    let hash = context.passwords.accept(change.new, [email, name]).await?;

    let session = Beginning::of(&headers)?;
    let mut connection = context.database.connection().await?;
    let changed: Option<Uuid> = sqlx::query_scalar(
        "with changed as (
            update users set password_hash = $3, password_changed_at = now(), version = version + 1, updated_at = now()
            where id = $1 and password_hash = $2 returning id
         ), ended as (
            delete from sessions using changed where sessions.user_id = changed.id
         ), revoked as (
            delete from api_tokens using changed where api_tokens.user_id = changed.id and $9
            returning api_tokens.user_id, api_tokens.id
         ), begun as (
            insert into sessions (id, user_id, token_sha256, user_agent, expires_at)
            select $4, id, $5, $6, now() + make_interval(days => $7) from changed
         ), recorded as (
            insert into events (actor_id, action, target_id, request_id)
            select id, 'account.password_changed', id, $8 from changed
            union all select user_id, 'token.revoked', id, $8 from revoked
         )
         select id from changed",
    )
    .bind(caller.user)
    .bind(kept)
    .bind(hash)
    .bind(session.id)
    .bind(session.fingerprint())
    .bind(&session.user_agent)
    .bind(cookie::DAYS)
    .bind(&caller.request_id)
    .bind(change.revoke_tokens)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    changed.ok_or(Problem::Forbidden("the current password is another"))?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    session.set_cookie(&mut response)?;
    Ok(response)
}

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{password::NewPassword, secret::Presented, throttle::Limit},
    account::limits,
    extract::{Body, Client},
    problem::Problem,
    router::Context,
    telemetry::RequestId,
};

const GONE: Problem = Problem::Forbidden("this secret is not good, or not any more; ask for another one");

/// What an operator handed over, and the new password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordReset {
    /// What `task-tracker reset-password` printed; good once, and for an hour.
    secret: Presented,
    /// As for a new account.
    new: NewPassword,
}

/// Take a new password for one that was forgotten
///
/// Ends every session of the user and begins none. API tokens go on.
#[utoipa::path(
    post, path = "/api/v1/password-reset", operation_id = "reset_password", tag = "accounts",
    request_body = PasswordReset,
    responses(
        (status = 204, description = "It is the password now"),
        (status = 403, description = "The secret is not good, or not any more"),
    ),
    security(()),
)]
pub(crate) async fn reset_password(
    State(context): State<Context>,
    Client(from): Client,
    request_id: RequestId,
    Body(reset): Body<PasswordReset>,
) -> Result<StatusCode, Problem> {
    let fingerprint = reset.secret.fingerprint();
    let mut connection = context.database.connection().await?;
    Limit::charge(&limits::of_reset(from), &mut connection).await?;
    let (email, name): (String, String) = sqlx::query_as(
        "select email, name from users join password_resets on password_resets.user_id = users.id
         where token_sha256 = $1 and expires_at > now() and erase_after is null",
    )
    .bind(fingerprint.as_bytes())
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?
    .ok_or(GONE)?;
    // A hash takes its time; the connection is for others meanwhile.
    drop(connection);
    let hash = context.passwords.accept(reset.new, [email, name]).await?;

    let mut connection = context.database.connection().await?;
    let changed: Option<Uuid> = sqlx::query_scalar(
        "with used as (
            delete from password_resets where token_sha256 = $1 and expires_at > now() returning user_id
         ), changed as (
            update users set password_hash = $2, password_changed_at = now(), version = version + 1, updated_at = now()
            from used where users.id = used.user_id and users.erase_after is null returning users.id
         ), ended as (
            delete from sessions using changed where sessions.user_id = changed.id
         ), recorded as (
            insert into events (actor_id, action, target_id, request_id)
            select id, 'account.password_reset', id, $3 from changed
         )
         select id from changed",
    )
    .bind(fingerprint.as_bytes())
    .bind(hash)
    .bind(request_id.to_string())
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    changed.ok_or(GONE)?;
    Ok(StatusCode::NO_CONTENT)
}

//! A way back for whoever forgot their password. There is no mail here, so an operator who knows the person hands over a secret
//! that is good once and for an hour, and the person takes a new password for it: no operator ever knows a password.

use secrecy::SecretString;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    access::secret::{RESET, Secret},
    config::{DatabaseUrl, MissingDatabaseUrl},
    text::Email,
};

/// Long enough to hand it over, and too short to lie around.
pub(crate) const MINUTES: i32 = 60;

/// Whose password it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Whose {
    Id(Uuid),
    /// As the person typed it.
    Email(String),
}

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoverError {
    /// The database URL is missing or malformed.
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    /// No connection, or a statement failed.
    #[error("could not write down that the password may be reset")]
    Database(#[source] sqlx::Error),
    /// Nobody has this id or address, or they are about to be erased.
    #[error("there is no such user")]
    NoSuchUser,
    /// The system has no randomness.
    #[error("could not make a secret")]
    Secret,
}

/// The secret to hand over, for `reset_password`. An earlier one is worthless from now on.
pub(crate) async fn offer(url: &DatabaseUrl, whose: Whose) -> Result<SecretString, RecoverError> {
    let secret = Secret::new(RESET).map_err(|_| RecoverError::Secret)?;
    let mut connection = url
        .options()
        .map_err(RecoverError::Url)?
        .application_name("task-tracker reset-password")
        .options([("lock_timeout", "10s")])
        .connect()
        .await
        .map_err(RecoverError::Database)?;
    let offered = write(&mut connection, whose, &secret)
        .await
        .map_err(RecoverError::Database)?;
    drop(connection.close().await);
    offered.ok_or(RecoverError::NoSuchUser)?;
    Ok(SecretString::from(secret.expose()))
}

async fn write(connection: &mut PgConnection, whose: Whose, secret: &Secret) -> Result<Option<Uuid>, sqlx::Error> {
    let (id, email) = match whose {
        Whose::Id(id) => (Some(id), None),
        // What is no address is nobody's.
        Whose::Email(text) => (None, Email::try_from(text).ok()),
    };
    sqlx::query_scalar(
        "with offered as (
            insert into password_resets (user_id, token_sha256, expires_at)
            select id, $3, now() + make_interval(mins => $4) from users
            where (id = $1 or email = $2) and erase_after is null
            on conflict (user_id) do update
            set token_sha256 = excluded.token_sha256, created_at = now(), expires_at = excluded.expires_at
            returning user_id
         ), recorded as (
            insert into events (action, target_id) select 'account.password_reset_offered', user_id from offered
         )
         select user_id from offered",
    )
    .bind(id)
    .bind(email.as_ref().map(Email::as_str))
    .bind(secret.fingerprint().as_bytes())
    .bind(MINUTES)
    .fetch_optional(connection)
    .await
}

//! What is known of one person: handed out, and erased (GDPR, articles 15, 17 and 20).
//!
//! Both are many short statements, whatever there is: `Lender` is where each gets its connection from, in the service and
//! on the command line.

mod erase;
mod erasing;
mod export;
mod lender;
mod looking;
mod sections;

use std::io::{self, Write};

use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::config::{DatabaseUrl, MissingDatabaseUrl};
pub(crate) use erase::erase_all;
pub(crate) use export::Export;

/// Why nothing was handed out or erased.
#[derive(Debug, thiserror::Error)]
pub enum PersonalError {
    /// The database URL is missing or malformed.
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    /// No connection, or a statement failed. Users erased before stay erased; the one it failed on is taken up again.
    #[error("could not read or erase what is kept about a user")]
    Database(#[source] sqlx::Error),
    /// There is no such user.
    #[error("there is no user `{0}`; give the id, as the account and the audit trail have it")]
    NoSuchUser(Uuid),
    /// Nobody takes it.
    #[error("could not write down what is kept about a user")]
    Write(#[source] io::Error),
}

/// Writes everything that is kept about a user, as one JSON document without secrets. One that breaks off is not whole.
pub async fn export_user(url: &DatabaseUrl, user: Uuid, out: &mut impl Write) -> Result<(), PersonalError> {
    let mut connection = connect(url).await?;
    let export = Export::begin(&mut connection, user).await;
    let mut export = export
        .map_err(PersonalError::Database)?
        .ok_or(PersonalError::NoSuchUser(user))?;
    while let Some(page) = export.next().await.map_err(PersonalError::Database)? {
        out.write_all(&page).map_err(PersonalError::Write)?;
    }
    drop(export);
    drop(connection.close().await);
    Ok(())
}

/// Erases the users whose time has come, and says how many. Safe to repeat, and to run beside another.
pub async fn erase_due(url: &DatabaseUrl) -> Result<u64, PersonalError> {
    let mut connection = connect(url).await?;
    let erased = erase_all(&mut connection).await.map_err(PersonalError::Database)?;
    drop(connection.close().await);
    Ok(erased)
}

async fn connect(url: &DatabaseUrl) -> Result<PgConnection, PersonalError> {
    url.options()
        .map_err(PersonalError::Url)?
        .application_name("task-tracker personal data")
        .options([
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "60s"),
            // What JSON that PostgreSQL writes says of time.
            ("TimeZone", "UTC"),
        ])
        .connect()
        .await
        .map_err(PersonalError::Database)
}

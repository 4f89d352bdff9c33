//! Accounts: who the users are, and how they show it. One endpoint per file.
//!
//! The e-mail address is in the table of users and in answers to its owner, and nowhere else: not in the audit trail, a
//! log line or another user's answer, so that forgetting a user is forgetting one row.

mod change_password;
mod export;
mod leave;
mod limits;
mod login;
mod logout;
mod me;
mod proof;
pub(crate) mod recover;
mod register;
mod reset_password;
mod restore;

use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::{
        cookie,
        secret::{Fingerprint, SESSION, Secret},
    },
    problem::Problem,
    router::Context,
    version::Version,
    write::Versioned,
};

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(register::register))
        .routes(routes!(login::login, logout::logout))
        .routes(routes!(me::get, me::update))
        .routes(routes!(change_password::change_password))
        .routes(routes!(reset_password::reset_password))
        .routes(routes!(export::export))
        .routes(routes!(leave::leave))
        .routes(routes!(restore::restore))
}

/// A user as this user sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct User {
    id: Uuid,
    email: String,
    name: String,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for User {
    fn version(&self) -> Version {
        self.version
    }
}

/// A `User` out of a row of users.
macro_rules! json {
    ($user:literal) => {
        crate::row::object!($user, id, email, name, version, created_at, updated_at)
    };
}
use json;

/// A session that is about to begin.
struct Beginning {
    id: Uuid,
    secret: Secret,
    user_agent: String,
    /// Of the session that the client has until now: whoever gets a new one has no use for it, and somebody who set it in their
    /// browser must not share the new one's life (OWASP ASVS 5.0, 7.2.4).
    replaced: Option<Fingerprint>,
}

impl Beginning {
    fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        Ok(Self {
            id: Uuid::now_v7(),
            secret: Secret::new(SESSION)?,
            user_agent: user_agent.unwrap_or_default().chars().take(200).collect(),
            replaced: cookie::session(headers).map(Fingerprint::of),
        })
    }

    fn fingerprint(&self) -> Vec<u8> {
        self.secret.fingerprint().as_bytes().to_vec()
    }

    fn replaced(&self) -> Option<&[u8]> {
        self.replaced.as_ref().map(Fingerprint::as_bytes)
    }

    /// The answer that hands the session over.
    fn hand_over(&self, status: StatusCode, user: User) -> Result<Response, Problem> {
        let mut response = user.version.respond(status, user);
        self.set_cookie(&mut response)?;
        Ok(response)
    }

    fn set_cookie(&self, response: &mut Response) -> Result<(), Problem> {
        response
            .headers_mut()
            .insert(header::SET_COOKIE, cookie::begin(&self.secret)?);
        Ok(())
    }
}

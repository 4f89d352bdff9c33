//! Who sent a request, once the guard has let it in.

use axum::{extract::FromRequestParts, http::request::Parts};
use uuid::Uuid;

use crate::{problem::Problem, retry::Retry};

/// A user, and by what the request speaks for this user.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) user: Uuid,
    pub(crate) via: Via,
    pub(crate) request_id: String,
    /// Present when the client gave this write a key under which it may be repeated.
    pub(crate) retry: Option<Retry>,
}

/// The id of the session or of the API token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    Session(Uuid),
    Token(Uuid),
}

impl Caller {
    /// For the audit trail.
    pub(crate) fn token(&self) -> Option<Uuid> {
        match self.via {
            Via::Session(_) => None,
            Via::Token(id) => Some(id),
        }
    }

    /// The session of an operation that only sessions reach.
    pub(crate) fn session(&self) -> Result<Uuid, Problem> {
        match self.via {
            Via::Session(id) => Ok(id),
            Via::Token(_) => Err(Problem::SessionRequired),
        }
    }
}

/// An endpoint that asks for a caller behind a route that the guard does not watch is a fault of ours, and stays shut.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("an endpoint wants a caller and its route is not guarded");
            Problem::Internal
        })
    }
}

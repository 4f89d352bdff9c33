//! Every error a client can see, as RFC 9457 problem details.
//!
//! Owns the mapping from causes to status codes. Never shows SQL, a path, a host or a secret: what a client cannot act
//! on goes to the log instead.

use axum::{
    Json,
    extract::rejection::{JsonRejection, PathRejection, QueryRejection},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sqlx::error::DatabaseError;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{Scope, throttle::Allowance},
    database::Unanswered,
    version::Version,
};

/// What went wrong, from the client's point of view.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Problem {
    NoSuchRoute,
    MethodNotAllowed,
    /// The named thing does not exist.
    NoSuch(&'static str),
    /// Whoever runs this installation left it out; what they would have to do.
    NotOffered(&'static str),
    /// The request cannot be read.
    Malformed {
        detail: String,
    },
    /// The request can be read but breaks a rule.
    Invalid {
        detail: String,
    },
    /// The request fits its description and breaks a rule that needs more than the request to know.
    Rule(&'static str),
    /// The cursor is of another list, or none that was ever given out.
    ForeignCursor,
    TooLarge,
    UnsupportedMediaType,
    BodyTooSlow,
    /// No credentials, or none that are still good.
    Unauthenticated,
    /// No user has this e-mail address and password.
    WrongCredentials,
    /// The operation is not for API tokens.
    SessionRequired,
    /// The API token lacks this scope.
    ScopeMissing(Scope),
    /// The caller sees the thing and may not do this to it.
    Forbidden(&'static str),
    /// A browser sent this on behalf of another site.
    CrossOrigin,
    /// Too often.
    Throttled {
        allowance: Allowance,
    },
    /// Too many at the same time, for one user.
    TooManyAtOnce(&'static str),
    /// The Idempotency-Key belongs to another request.
    KeyReused,
    /// The first request with this Idempotency-Key is still running.
    KeyInUse,
    /// It contradicts what is there.
    Conflict(&'static str),
    /// The project's files would take more bytes than they may.
    NoRoom {
        room: i64,
        taken: i64,
    },
    /// Of many things that were to change together, these are not there, or are and were changed since; so none did.
    NoSuchAmong {
        refused: Vec<Refused>,
    },
    /// Of many things that were to change together, these were changed since; so none did.
    StaleAmong {
        refused: Vec<Refused>,
    },
    PreconditionRequired,
    Stale {
        current: Version,
    },
    /// Another thing has this id already.
    IdTaken(&'static str),
    /// The service took too long.
    TimedOut,
    DatabaseUnavailable,
    BucketUnavailable,
    /// Too much of this at once.
    Busy,
    Draining,
    Internal,
}

/// What went wrong (RFC 9457), and what to do about it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Details {
    /// Names the kind of problem; programs may rely on it.
    #[schema(example = "urn:task-tracker:problem:not-found")]
    r#type: String,
    /// The words of the status.
    title: &'static str,
    /// The status once more.
    status: u16,
    /// What was wrong with this request, for people.
    detail: String,
    /// Of a change of many: those that cannot be changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    refused: Vec<Refused>,
}

/// One of many that cannot be changed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Refused {
    pub(crate) id: Uuid,
    /// As it is now; null when there is no such thing in this project.
    pub(crate) version: Option<Version>,
}

impl Problem {
    /// Of a change that names nothing to change.
    pub(crate) fn no_field() -> Self {
        Self::Invalid {
            detail: "name at least one field to change".into(),
        }
    }

    /// Tells a database that is busy or gone (try again) from a fault of ours, and logs both.
    pub(crate) fn of_database(cause: &sqlx::Error) -> Self {
        let refusal = cause.as_database_error().and_then(DatabaseError::code);
        let problem = Self::of_code(refusal.as_deref(), is_of_the_connection(cause));
        problem.log(&cause.to_string());
        problem
    }

    /// As `of_database`, of a statement on a lane.
    pub(crate) fn of_statement(cause: &Unanswered) -> Self {
        let problem = Self::of_code(cause.code(), cause.is_of_the_connection());
        problem.log(&cause.words());
        problem
    }

    /// By PostgreSQL's code, or whether it is the connection that failed where there is none.
    fn of_code(code: Option<&str>, is_of_the_connection: bool) -> Self {
        match code.unwrap_or_default() {
            "" if is_of_the_connection => Self::DatabaseUnavailable,
            // PostgreSQL manual, appendix A: class 57 operator intervention (shutdown, cancelled by a timeout), class 53
            // insufficient resources, 55P03 lock not available, 40001 and 40P01 lost against another transaction,
            // 25006 read-only while a replica is promoted; class 28 a login that is refused, as while a password is changed.
            code if ["28", "53", "57"].iter().any(|class| code.starts_with(class)) => Self::DatabaseUnavailable,
            "55P03" | "40001" | "40P01" | "25006" => Self::DatabaseUnavailable,
            _ => Self::Internal,
        }
    }

    fn log(&self, cause: &str) {
        if *self == Self::Internal {
            tracing::error!(cause, "the database refused a statement");
        } else {
            tracing::warn!(cause, "the database is unavailable");
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoSuchRoute | Self::NoSuch(_) | Self::NoSuchAmong { .. } | Self::NotOffered(_) => {
                StatusCode::NOT_FOUND
            }
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed { .. } | Self::ForeignCursor => StatusCode::BAD_REQUEST,
            Self::Invalid { .. } | Self::Rule(_) | Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthenticated | Self::WrongCredentials => StatusCode::UNAUTHORIZED,
            Self::SessionRequired | Self::ScopeMissing(_) | Self::Forbidden(_) | Self::CrossOrigin => {
                StatusCode::FORBIDDEN
            }
            Self::Throttled { .. } | Self::TooManyAtOnce(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::KeyInUse | Self::Conflict(_) | Self::NoRoom { .. } | Self::IdTaken(_) => StatusCode::CONFLICT,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::Stale { .. } | Self::StaleAmong { .. } => StatusCode::PRECONDITION_FAILED,
            Self::TimedOut | Self::DatabaseUnavailable | Self::BucketUnavailable | Self::Busy | Self::Draining => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The last part of the problem's type, which programs may rely on.
    fn name(&self) -> &'static str {
        match self {
            Self::NoSuchRoute => "no-such-route",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::NoSuch(_) | Self::NoSuchAmong { .. } => "not-found",
            Self::NotOffered(_) => "not-offered",
            Self::Malformed { .. } => "malformed",
            Self::Invalid { .. } => "invalid",
            Self::Rule(_) => "rule",
            Self::ForeignCursor => "foreign-cursor",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::BodyTooSlow => "body-too-slow",
            Self::Unauthenticated => "unauthenticated",
            Self::WrongCredentials => "wrong-credentials",
            Self::SessionRequired => "session-required",
            Self::ScopeMissing(_) => "scope-missing",
            Self::Forbidden(_) => "forbidden",
            Self::CrossOrigin => "cross-origin",
            Self::Throttled { .. } => "throttled",
            Self::TooManyAtOnce(_) => "too-many-at-once",
            Self::KeyReused => "idempotency-key-reused",
            Self::KeyInUse => "idempotency-key-in-use",
            Self::Conflict(_) => "conflict",
            Self::NoRoom { .. } => "no-room",
            Self::PreconditionRequired => "precondition-required",
            Self::Stale { .. } | Self::StaleAmong { .. } => "stale-version",
            Self::IdTaken(_) => "id-taken",
            Self::TimedOut => "timed-out",
            Self::DatabaseUnavailable => "database-unavailable",
            Self::BucketUnavailable => "bucket-unavailable",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Internal => "internal",
        }
    }

    fn refused(&self) -> &[Refused] {
        if let Self::NoSuchAmong { refused } | Self::StaleAmong { refused } = self {
            refused
        } else {
            &[]
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoSuchRoute => "there is nothing at this path".into(),
            Self::MethodNotAllowed => {
                "this path does not take this method; the Allow header lists those it takes".into()
            }
            Self::NoSuch(what) => format!("there is no {what} with this id"),
            Self::Malformed { detail } | Self::Invalid { detail } => detail.clone(),
            Self::ForeignCursor => "this cursor is not of this list".into(),
            Self::TooLarge => "the request body is larger than this takes: 64 KiB, or 4 MiB of an import".into(),
            Self::UnsupportedMediaType => "send the body as application/json".into(),
            Self::BodyTooSlow => "the request body did not arrive in time".into(),
            Self::Unauthenticated => "log in, or send an API token that has not expired".into(),
            Self::WrongCredentials => "there is no account with this e-mail address and password".into(),
            Self::SessionRequired => "this takes a session; API tokens cannot do it".into(),
            Self::ScopeMissing(scope) => format!("this takes an API token with the scope `{}`", scope.as_str()),
            Self::Forbidden(detail)
            | Self::Conflict(detail)
            | Self::Rule(detail)
            | Self::NotOffered(detail)
            | Self::TooManyAtOnce(detail) => (*detail).into(),
            Self::NoRoom { room, taken } => format!(
                "the attachments of a project take {room} bytes at most, and {taken} of them are taken; delete some first"
            ),
            Self::CrossOrigin => "a page of another site may not change anything here".into(),
            Self::Throttled { allowance } => {
                format!(
                    "too many requests of this kind; try again in {} s",
                    allowance.retry_after()
                )
            }
            Self::KeyReused => "this Idempotency-Key was sent with another request before; take a new one".into(),
            Self::KeyInUse => "the first request with this Idempotency-Key is still running; ask again".into(),
            Self::PreconditionRequired => "send the ETag you last saw in If-Match".into(),
            Self::Stale { .. } => "it was changed since; the ETag header is that of its current version".into(),
            Self::NoSuchAmong { refused } | Self::StaleAmong { refused } => format!(
                "nothing was changed: {} of them are not there, or were changed since; `refused` names them",
                refused.len()
            ),
            Self::IdTaken(what) => {
                format!("this id belongs to another {what}, or to one that was changed since")
            }
            Self::TimedOut => "the request took too long".into(),
            Self::DatabaseUnavailable => "the database does not answer; try again".into(),
            Self::BucketUnavailable => "where files are kept does not answer; try again".into(),
            Self::Busy => "too many of these at once; try again".into(),
            Self::Draining => "this instance is about to end".into(),
            Self::Internal => "something went wrong here; the log has it under the request id".into(),
        }
    }
}

/// Without an SQLSTATE the fault is between us and PostgreSQL, or in how we read its answer.
fn is_of_the_connection(cause: &sqlx::Error) -> bool {
    matches!(
        cause,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let details = Details {
            r#type: format!("urn:task-tracker:problem:{}", self.name()),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: self.detail(),
            refused: self.refused().to_vec(),
        };
        let mut response = (status, Json(details)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::SERVICE_UNAVAILABLE || matches!(self, Self::TooManyAtOnce(_)) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        if let Self::Stale { current } = self {
            headers.insert(header::ETAG, current.etag());
        }
        if let Self::Throttled { allowance } = self {
            allowance.refuse(headers);
        }
        if status == StatusCode::UNAUTHORIZED {
            // RFC 9110, 15.5.2: a 401 carries a challenge.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        let detail = rejection.body_text();
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Self::TooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Self::Invalid { detail },
            _ => Self::Malformed { detail },
        }
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::Malformed {
            detail: rejection.body_text(),
        }
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed {
            detail: rejection.body_text(),
        }
    }
}

//! The one door for changes: the effect, its record and its idempotency key, in one statement.
//!
//! A client that disconnects drops the future that works for it. A single statement is a transaction that cannot be left
//! half-way, and it is one round trip, among those of other requests on the same lane. Never opens a transaction.

use std::marker::PhantomData;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use tokio_postgres::types::Json as Kept;

use crate::{
    access::Caller,
    database::{Database, Parameter, Sending, Unanswered, column},
    problem::Problem,
    retry::Retry,
    version::{self, Version},
};

/// The constraint that a second write under one key runs into.
const ONCE: &str = "idempotency_keys_once";

/// The statement of a change. The given CTEs end in one called `effect` with the columns `project` and `target` (ids),
/// `before` and `after` (jsonb; `after` is also the answer, and of a change only what differs is recorded). Their
/// own parameters begin at `$9`; `$1` is the caller.
///
/// With `also;` in front there is a further CTE of that name: what changed along with it, each row an event of its own, with
/// its `action` besides the columns of `effect`.
macro_rules! change {
    (also; $($cte:expr),+ $(,)?) => {
        crate::write::told!(crate::write::recorded!(crate::write::with_more!()), "effect", $($cte),+)
    };
    ($($cte:expr),+ $(,)?) => {
        crate::write::told!(crate::write::recorded!(crate::write::alone!()), "effect", $($cte),+)
    };
}
pub(crate) use change;

/// As `change!`, of several things at once: `effect` has a row for each, which is an event of its own, and a further CTE
/// called `answer` has, in its one row's column `after`, what the client is told.
macro_rules! changes {
    (also; $($cte:expr),+ $(,)?) => {
        crate::write::told!(crate::write::recorded!(crate::write::with_more!()), "answer", $($cte),+)
    };
    ($($cte:expr),+ $(,)?) => {
        crate::write::told!(crate::write::recorded!(crate::write::alone!()), "answer", $($cte),+)
    };
}
pub(crate) use changes;

/// The whole statement, whose answer is in `$answer`.
macro_rules! told {
    ($recorded:expr, $answer:literal, $($cte:expr),+) => {
        concat!(
            "with ",
            $($cte,)+
            $recorded,
            ", kept as (
                insert into idempotency_keys (user_id, operation, key, body_sha256, status, answer)
                select $1, $6, $5, $7, $8, ",
            $answer,
            ".after from ",
            $answer,
            " where $5::text is not null
             )
             select after from ",
            $answer
        )
    };
}
pub(crate) use told;

/// What happened: the effect.
macro_rules! alone {
    () => {
        "(select $3::text as action, project, target, before, after from effect)"
    };
}
pub(crate) use alone;

/// What happened: the effect, and behind it what changed along with it.
macro_rules! with_more {
    () => {
        "(select $3::text as action, project, target, before, after from effect
          union all select action, project, target, before, after from also)"
    };
}
pub(crate) use with_more;

/// What is called `url` stays out of it: whoever knows a webhook's address can write to it, and members read the record.
macro_rules! recorded {
    ($happened:expr) => {
        concat!(
            ", recorded as (
                insert into events (actor_id, token_id, action, request_id, project_id, target_id, before, after)
                select $1, $2, happened.action, $4, happened.project, happened.target,
                       case when happened.after is null then happened.before - 'url' else (
                           select jsonb_object_agg(key, value) from jsonb_each(happened.before)
                           where value is distinct from happened.after -> key and key <> 'url'
                       ) end,
                       case when happened.before is null then happened.after - 'url' else (
                           select jsonb_object_agg(key, value) from jsonb_each(happened.after)
                           where value is distinct from happened.before -> key and key <> 'url'
                       ) end
                from ",
            $happened,
            " as happened
             )"
        )
    };
}
pub(crate) use recorded;

/// A change about to happen.
#[must_use]
pub(crate) struct Write<'c, T> {
    caller: &'c Caller,
    status: StatusCode,
    sql: &'static str,
    parameters: Vec<Box<dyn Parameter>>,
    row: PhantomData<T>,
}

/// A change that happened, now or when the same request came first.
#[derive(Debug)]
pub(crate) struct Done<T> {
    status: StatusCode,
    row: Option<T>,
    pub(crate) when: When,
}

/// A secret is in the first answer only: what is kept for a repetition never holds one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Now,
    Before,
}

impl<'c, T: DeserializeOwned> Write<'c, T> {
    /// `sql` comes from `change!`; `action` is the word in the audit trail; `status` is of the answer.
    pub(crate) fn new(caller: &'c Caller, action: &'static str, status: StatusCode, sql: &'static str) -> Self {
        let retry = caller.retry.as_ref();
        let write = Self {
            caller,
            status,
            sql,
            parameters: Vec::with_capacity(24),
            row: PhantomData,
        };
        write
            .bind(caller.user)
            .bind(caller.token())
            .bind(action)
            .bind(caller.request_id.clone())
            .bind(retry.map(|retry| retry.key.clone()))
            .bind(retry.map(|retry| retry.operation.clone()))
            .bind(retry.map(|retry| retry.digest.to_vec()))
            .bind(i16::try_from(status.as_u16()).unwrap_or_default())
    }

    /// The statement's next parameter.
    pub(crate) fn bind(mut self, value: impl Parameter + 'static) -> Self {
        self.parameters.push(Box::new(value));
        self
    }

    /// None when the effect touched nothing; the endpoint knows why.
    pub(crate) async fn run(self, database: &Database) -> Result<Option<Done<T>>, Failed> {
        let parameters: Vec<&dyn Parameter> = self.parameters.iter().map(AsRef::as_ref).collect();
        let outcome = database.ask(Sending::Once, self.sql, &parameters).await;
        if let Ok([row, ..]) = outcome.as_deref() {
            let row: Option<Kept<T>> = column(row, 0)?;
            return Ok(Some(Done {
                status: self.status,
                row: row.map(|Kept(row)| row),
                when: When::Now,
            }));
        }
        if let Some(retry) = &self.caller.retry {
            if let Some(done) = Box::pin(repeat(retry, self.caller, database)).await? {
                return Ok(Some(done));
            }
            if outcome.as_ref().is_err_and(is_waiting_for_its_twin) {
                return Err(Failed::Because(Problem::KeyInUse));
            }
        }
        outcome.map(|_| None).map_err(Failed::from)
    }
}

/// Why a change did not happen.
#[derive(Debug)]
pub(crate) enum Failed {
    /// A constraint of this name forbids it.
    Constraint(String),
    Because(Problem),
}

impl From<Unanswered> for Failed {
    fn from(cause: Unanswered) -> Self {
        match cause.constraint() {
            Some(constraint) => Self::Constraint(constraint.to_owned()),
            None => Self::Because(Problem::of_statement(&cause)),
        }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self::Because(problem)
    }
}

/// For statements in which no constraint can be a client's doing.
impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Because(problem) => problem,
            Failed::Constraint(constraint) => {
                tracing::error!(constraint, "a change broke a rule of the schema");
                Self::Internal
            }
        }
    }
}

/// What this request was answered when it came first; None when it has no key or did not come before. For endpoints that ask
/// more than their one statement: what they would find may be another by now.
pub(crate) async fn before<T: DeserializeOwned>(
    caller: &Caller,
    database: &Database,
) -> Result<Option<Done<T>>, Problem> {
    match &caller.retry {
        Some(retry) => Box::pin(repeat(retry, caller, database)).await,
        None => Ok(None),
    }
}

async fn repeat<T: DeserializeOwned>(
    retry: &Retry,
    caller: &Caller,
    database: &Database,
) -> Result<Option<Done<T>>, Problem> {
    let Some(kept) = retry.kept(caller.user, &mut *database.connection().await?).await? else {
        return Ok(None);
    };
    let broken = |cause: &dyn std::fmt::Display| {
        tracing::error!(%cause, "a kept answer cannot be read");
        Problem::Internal
    };
    let status = u16::try_from(kept.status)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok())
        .ok_or_else(|| broken(&kept.status))?;
    let row = kept
        .answer
        .map(serde_json::from_value)
        .transpose()
        .map_err(|cause| broken(&cause))?;
    Ok(Some(Done {
        status,
        row,
        when: When::Before,
    }))
}

/// PostgreSQL manual, appendix A: 55P03 `lock_not_available`.
fn is_waiting_for_its_twin(cause: &Unanswered) -> bool {
    cause.code() == Some("55P03") || cause.constraint() == Some(ONCE)
}

/// What has a version, and so an `ETag`.
pub(crate) trait Versioned: Serialize {
    fn version(&self) -> Version;

    /// Two answers with the same one are the same.
    fn etag(&self) -> HeaderValue {
        self.version().etag()
    }
}

impl<T: Versioned> Done<T> {
    /// With the `ETag` of the row.
    pub(crate) fn respond(self) -> Response {
        match self.row {
            Some(row) => version::respond(self.status, row),
            None => self.status.into_response(),
        }
    }

    /// Of a create: with the place of what was made.
    pub(crate) fn respond_at(self, place: impl FnOnce(&T) -> String) -> Response {
        let place = self.row.as_ref().map(place);
        with_location(self.respond(), place)
    }
}

impl<T: Serialize> Done<T> {
    /// Of a create, for what has no version: with the place of what was made.
    pub(crate) fn respond_plainly_at(self, place: impl FnOnce(&T) -> String) -> Response {
        let place = self.row.as_ref().map(place);
        with_location(self.respond_plainly(), place)
    }

    pub(crate) fn respond_plainly(self) -> Response {
        match self.row {
            Some(row) => (self.status, Json(row)).into_response(),
            None => self.status.into_response(),
        }
    }
}

impl<T> Done<T> {
    pub(crate) fn row(&self) -> Option<&T> {
        self.row.as_ref()
    }

    /// For an answer that is more than the row.
    pub(crate) fn map<U>(self, more: impl FnOnce(T) -> U) -> Done<U> {
        Done {
            status: self.status,
            row: self.row.map(more),
            when: self.when,
        }
    }
}

fn with_location(mut response: Response, place: Option<String>) -> Response {
    if let Some(place) = place.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

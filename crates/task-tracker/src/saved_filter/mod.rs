//! Saved filters: what somebody looks for in a project again and again, for oneself or for all its members. One endpoint per
//! file.
//!
//! What is saved is the query of the list of tasks, in the same grammar; the list takes it by its id.

mod create;
mod delete;
mod get;
mod list;
mod update;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    problem::Problem,
    project,
    router::Context,
    task::{Filter, VIEWERS_LOOK},
    version::Version,
    write::Versioned,
};

const WORD: &str = "filter";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// Who has a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Audience {
    /// Who saved it, and nobody else.
    Me,
    /// Every member of the project; owners and editors change it.
    Project,
}

/// A saved filter.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct SavedFilter {
    id: Uuid,
    project_id: Uuid,
    audience: Audience,
    name: String,
    /// For the parameter `filter` of the list of tasks, by this one's id. What it names may be gone since.
    #[schema(value_type = Filter)]
    filter: Value,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for SavedFilter {
    fn version(&self) -> Version {
        self.version
    }
}

/// A `SavedFilter` out of a row of saved filters.
macro_rules! json {
    ($filter:literal) => {
        crate::row::object!(
            $filter,
            id,
            project_id,
            audience = concat!("case when ", $filter, ".user_id is null then 'project' else 'me' end"),
            name,
            filter,
            version,
            created_at,
            updated_at
        )
    };
}
use json;

/// The project in which the change of a filter is told: what somebody saves for oneself is nobody else's business.
macro_rules! told_in {
    ($filter:literal) => {
        concat!(
            "case when ",
            $filter,
            ".user_id is null then ",
            $filter,
            ".project_id end"
        )
    };
}
use told_in;

/// What was saved, for a list of the same project by somebody who has it.
pub(crate) async fn load(
    connection: &mut PgConnection,
    caller: &Caller,
    project_id: Uuid,
    id: Uuid,
) -> Result<Filter, Problem> {
    let saved: Option<Value> = sqlx::query_scalar(
        "select filter from saved_filters
         where id = $1 and project_id = $2 and (user_id is null or user_id = $3)
           and exists (select from memberships where memberships.project_id = $2 and memberships.user_id = $3)",
    )
    .bind(id)
    .bind(project_id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Some(saved) = saved else {
        project::role(connection, caller, project_id).await?;
        return Err(Problem::NoSuch(WORD));
    };
    serde_json::from_value(saved).map_err(|cause| {
        tracing::warn!(%cause, filter = %id, "a saved filter cannot be read by this release");
        Problem::Rule("this filter was saved by another release, which knows more; try again")
    })
}

/// Why a change of this filter touched nothing.
async fn refusal(
    connection: &mut PgConnection,
    caller: &Caller,
    (project_id, id): (Uuid, Uuid),
    versions: Option<Vec<i64>>,
) -> Problem {
    let role = match project::role(connection, caller, project_id).await {
        Ok(role) => role,
        Err(problem) => return problem,
    };
    let found: Result<Option<(i64, bool, bool)>, sqlx::Error> = sqlx::query_as(
        "select version, user_id is null, $4::bigint[] is null or version = any($4) from saved_filters
         where id = $1 and project_id = $2 and (user_id is null or user_id = $3)",
    )
    .bind(id)
    .bind(project_id)
    .bind(caller.user)
    .bind(versions)
    .fetch_optional(connection)
    .await;
    match found {
        Ok(Some((_, true, _))) if !role.edits() => Problem::Forbidden(VIEWERS_LOOK),
        Ok(Some((_, _, true))) => not_of_the_project(),
        Ok(Some((current, _, false))) => Problem::Stale {
            current: Version::from(current),
        },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

fn not_of_the_project() -> Problem {
    Problem::Rule("a filter names members, labels and tasks of its project")
}

//! Projects: named collections of tasks, each with its members. One endpoint per file.

mod create;
mod delete;
mod get;
mod list;
mod update;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::{Caller, Role},
    problem::Problem,
    router::Context,
    version::Version,
    write::Versioned,
};

/// What clients call this in problems.
pub(crate) const WORD: &str = "project";
const OWNERS_ONLY: &str = "only an owner of the project may do this";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// A project as one of its members sees it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Project {
    pub(crate) id: Uuid,
    name: String,
    /// Markdown.
    description: String,
    /// Of the caller.
    role: Role,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Project {
    fn version(&self) -> Version {
        self.version
    }
}

/// A `Project` out of a row of projects and the caller's role in it.
macro_rules! json {
    ($project:literal, $role:literal) => {
        crate::row::object!(
            $project,
            id,
            name,
            description,
            role = $role,
            version,
            created_at,
            updated_at
        )
    };
}
use json;

/// What the caller is in this project. Whoever is nothing there does not learn that it exists.
pub(crate) async fn role(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<Role, Problem> {
    let role: Option<String> =
        sqlx::query_scalar("select role from memberships where project_id = $1 and user_id = $2")
            .bind(id)
            .bind(caller.user)
            .fetch_optional(connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
    role.and_then(|role| Role::try_from(role).ok())
        .ok_or(Problem::NoSuch(WORD))
}

/// As `role`, for what only owners may do.
pub(crate) async fn require_owner(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<(), Problem> {
    if role(connection, caller, id).await?.owns() {
        Ok(())
    } else {
        Err(Problem::Forbidden(OWNERS_ONLY))
    }
}

/// Why a change of this id and these versions touched nothing: it is gone, not the caller's to change, or has another
/// version by now.
async fn refusal(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Problem {
    if let Err(problem) = require_owner(connection, caller, id).await {
        return problem;
    }
    let found: Result<Option<i64>, sqlx::Error> = sqlx::query_scalar("select version from projects where id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await;
    match found {
        Ok(Some(current)) => Problem::Stale {
            current: Version::from(current),
        },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

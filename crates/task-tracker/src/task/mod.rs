//! Tasks: what there is to do in a project. One endpoint per file.

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
const WORD: &str = "task";
const VIEWERS_LOOK: &str = "viewers of the project may look and not change";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// A task as clients see it.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Task {
    id: Uuid,
    project_id: Uuid,
    title: String,
    /// Markdown.
    description: String,
    status: Status,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    #[default]
    Open,
    InProgress,
    Done,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Done => "done",
        }
    }
}

impl Versioned for Task {
    fn version(&self) -> Version {
        self.version
    }
}

/// A `Task` out of a row of tasks.
macro_rules! json {
    ($task:literal) => {
        concat!(
            "jsonb_build_object('id', ",
            $task,
            ".id, 'project_id', ",
            $task,
            ".project_id, 'title', ",
            $task,
            ".title, 'description', ",
            $task,
            ".description, 'status', ",
            $task,
            ".status, 'version', ",
            $task,
            ".version, 'created_at', ",
            $task,
            ".created_at, 'updated_at', ",
            $task,
            ".updated_at)"
        )
    };
}
use json;

fn place(task: &Task) -> String {
    format!("/api/v1/tasks/{}", task.id)
}

/// Why a change of this id and these versions touched nothing: it is gone, not the caller's to change, or has another
/// version by now.
async fn refusal(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Problem {
    let found: Result<Option<(i64, String)>, sqlx::Error> = sqlx::query_as(
        "select tasks.version, memberships.role from tasks
         join memberships on memberships.project_id = tasks.project_id
         where tasks.id = $1 and memberships.user_id = $2",
    )
    .bind(id)
    .bind(caller.user)
    .fetch_optional(connection)
    .await;
    match found {
        Ok(Some((current, role))) => match Role::try_from(role) {
            Ok(role) if role.edits() => Problem::Stale {
                current: Version::from(current),
            },
            _ => Problem::Forbidden(VIEWERS_LOOK),
        },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

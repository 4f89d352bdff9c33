//! Tasks: what there is to do in a project. One endpoint per file.

mod any_of;
mod bulk;
mod create;
mod crowd;
mod delete;
mod fields;
mod filter;
mod get;
mod list;
mod move_to;
pub(crate) mod rank;
mod row;
pub(crate) mod tree;
mod update;
mod words;

use axum::http::HeaderValue;
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
pub(crate) use fields::{Few, Moment, Priority, Status, of_the_project};
pub(crate) use filter::Filter;
use tree::Subtasks;

/// What clients call this in problems.
pub(crate) const WORD: &str = "task";
pub(crate) const VIEWERS_LOOK: &str = "viewers of the project may look and not change";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(move_to::move_to))
        .routes(routes!(bulk::change))
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
    priority: Priority,
    #[serde(with = "time::serde::rfc3339::option")]
    due_at: Option<OffsetDateTime>,
    /// Where it stands among the tasks of its project: sort by it, as text.
    rank: String,
    /// Members of the project.
    assignee_ids: Vec<Uuid>,
    /// Labels of the project.
    label_ids: Vec<Uuid>,
    /// The task of the same project that it is a part of. The service before it had no such thing.
    #[serde(default)]
    #[schema(required = true)]
    parent_id: Option<Uuid>,
    /// Its own parts; a change of theirs gives it no new version.
    #[serde(default)]
    #[schema(required = true)]
    subtasks: Subtasks,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Task {
    fn version(&self) -> Version {
        self.version
    }

    /// With how its parts stand, if it has any: they are shown, and a change of theirs gives it no new version.
    fn etag(&self) -> HeaderValue {
        match self.subtasks.counts() {
            [0, _] => self.version.etag(),
            counts => self.version.etag_with(counts),
        }
    }
}

/// A `Task` out of a row of tasks, to be compared and recorded. What the same statement does to its parent has to be given:
/// it is not to be seen yet.
macro_rules! json {
    ($task:literal) => {
        crate::task::object!($task, crate::task::parent_of!($task))
    };
    ($task:literal, $parent:expr) => {
        crate::task::object!($task, $parent)
    };
}
use json;

macro_rules! parent_of {
    ($task:literal) => {
        concat!(
            "(select link.parent_id from subtasks as link where link.task_id = ",
            $task,
            ".id)"
        )
    };
}
use parent_of;

macro_rules! object {
    ($task:literal, $parent:expr) => {
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
            ".status, 'priority', ",
            $task,
            ".priority, 'due_at', ",
            $task,
            ".due_at, 'rank', ",
            crate::task::rank::of!($task),
            ", 'assignee_ids', ",
            $task,
            ".assignee_ids, 'label_ids', ",
            $task,
            ".label_ids, 'parent_id', ",
            $parent,
            ", 'subtasks', ",
            crate::task::tree::counted!($task),
            ", 'version', ",
            $task,
            ".version, 'created_at', ",
            $task,
            ".created_at, 'updated_at', ",
            $task,
            ".updated_at)"
        )
    };
}
use object;

fn place(task: &Task) -> String {
    format!("/api/v1/tasks/{}", task.id)
}

/// What the caller is in the project of this task; a task that is not the caller's to see is not there.
pub(crate) async fn role(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<Role, Problem> {
    let role: Option<String> = sqlx::query_scalar(
        "select memberships.role from tasks join memberships on memberships.project_id = tasks.project_id
         where tasks.id = $1 and memberships.user_id = $2",
    )
    .bind(id)
    .bind(caller.user)
    .fetch_optional(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    role.and_then(|role| Role::try_from(role).ok())
        .ok_or(Problem::NoSuch(WORD))
}

/// As `role`, for what changes things.
pub(crate) async fn require_editor(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<(), Problem> {
    if role(connection, caller, id).await?.edits() {
        Ok(())
    } else {
        Err(Problem::Forbidden(VIEWERS_LOOK))
    }
}

/// Why a change of this id and these versions touched nothing: it is gone, not the caller's to change, has another
/// version by now, or named somebody or something that is not of its project.
async fn refusal(connection: &mut PgConnection, caller: &Caller, id: Uuid, versions: Option<Vec<i64>>) -> Problem {
    if let Err(problem) = require_editor(connection, caller, id).await {
        return problem;
    }
    let found: Result<Option<(i64, bool)>, sqlx::Error> =
        sqlx::query_as("select version, $2::bigint[] is null or version = any($2) from tasks where id = $1")
            .bind(id)
            .bind(versions)
            .fetch_optional(connection)
            .await;
    match found {
        Ok(Some((_, true))) => fields::of_elsewhere(),
        Ok(Some((current, false))) => Problem::Stale {
            current: Version::from(current),
        },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

//! Notifications: what a user is told, and whether it was read. One endpoint per file.
//!
//! They are written by who has something to tell (`reminder`). Whoever may no longer see the task is told nothing of it, and
//! what is older than `upkeep` says is cleared away.

mod catch_up;
mod list;
mod read;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::router::Context;

const WORD: &str = "notification";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(read::read, read::unread))
        .routes(routes!(catch_up::catch_up))
}

/// Of what kind a notification is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The moment of a reminder came.
    Reminder,
}

/// A notification.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Notification {
    id: Uuid,
    kind: Kind,
    project_id: Uuid,
    task_id: Uuid,
    /// Of the task, as it is now.
    title: String,
    #[serde(with = "time::serde::rfc3339::option")]
    due_at: Option<OffsetDateTime>,
    /// The moment that the reminder was for.
    #[serde(with = "time::serde::rfc3339")]
    remind_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    read_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A `Notification` out of a row of notifications and that of its task.
macro_rules! json {
    ($notification:literal, $task:literal) => {
        crate::row::object!(
            $notification,
            id,
            kind = "'reminder'",
            project_id = concat!($task, ".project_id"),
            task_id = concat!($task, ".id"),
            title = concat!($task, ".title"),
            due_at = concat!($task, ".due_at"),
            remind_at,
            read_at,
            created_at
        )
    };
}
use json;

/// The task of a notification, if its user `$1` may still see it.
macro_rules! task {
    () => {
        "tasks on tasks.id = notifications.task_id
         join memberships on memberships.project_id = tasks.project_id and memberships.user_id = $1"
    };
}
use task;

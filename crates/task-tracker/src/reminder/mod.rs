//! Reminders: at some moment, or so long before a task is due, its user is told. One endpoint per file.
//!
//! A reminder is of one user and nobody else's business: it is in no activity of the project. Delivering is `deliver`'s
//! work; what was delivered is a notification.

mod create;
mod delete;
mod deliver;
mod list;

pub(crate) use deliver::run;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::router::Context;

const WORD: &str = "reminder";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(delete::delete))
}

/// A reminder.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Reminder {
    id: Uuid,
    task_id: Uuid,
    /// The moment, if it is one by itself.
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    /// How many minutes before the task is due, if it goes by that.
    minutes_before_due: Option<i64>,
    /// When it is to be delivered; null when it was, or when its task has no due date.
    #[serde(with = "time::serde::rfc3339::option")]
    fires_at: Option<OffsetDateTime>,
    /// When it was, last.
    #[serde(with = "time::serde::rfc3339::option")]
    delivered_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A `Reminder` out of a row of reminders.
macro_rules! json {
    ($reminder:literal) => {
        crate::row::object!(
            $reminder,
            id,
            task_id,
            at,
            minutes_before_due,
            fires_at,
            delivered_at,
            created_at
        )
    };
}
use json;

//! Projects: named collections of tasks. One endpoint per file.

mod create;
mod delete;
mod get;
mod list;
mod update;

pub(crate) use create::create;
pub(crate) use delete::delete;
pub(crate) use get::get;
pub(crate) use list::list;
pub(crate) use update::update;

use serde::Serialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{problem::Problem, version::Version};

/// What clients call this in problems.
pub(crate) const WORD: &str = "project";

/// A project as clients see it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct Project {
    id: Uuid,
    name: String,
    description: String,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// Why a change of this id and these versions touched nothing: it is gone, or it has another version by now.
async fn refusal(connection: &mut PgConnection, id: Uuid) -> Problem {
    let found = sqlx::query_scalar("select version from projects where id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await;
    match found {
        Ok(Some(current)) => Problem::Stale { current },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

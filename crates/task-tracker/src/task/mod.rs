//! Tasks: what there is to do in a project. One endpoint per file.

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

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{problem::Problem, version::Version};

/// What clients call this in problems.
const WORD: &str = "task";

/// A task as clients see it.
#[derive(Debug, Serialize, sqlx::FromRow)]
pub(crate) struct Task {
    id: Uuid,
    project_id: Uuid,
    title: String,
    description: String,
    #[sqlx(try_from = "String")]
    status: Status,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// How far a task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// A row holds a status that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown task status `{0}`")]
struct UnknownStatus(String);

impl TryFrom<String> for Status {
    type Error = UnknownStatus;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        [Self::Open, Self::InProgress, Self::Done]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or(UnknownStatus(text))
    }
}

/// Why a change of this id and these versions touched nothing: it is gone, or it has another version by now.
async fn refusal(connection: &mut PgConnection, id: Uuid) -> Problem {
    let found = sqlx::query_scalar("select version from tasks where id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await;
    match found {
        Ok(Some(current)) => Problem::Stale { current },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

//! Comments: what people say about a task. One endpoint per file.

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

use crate::{access::Caller, problem::Problem, router::Context, version::Version, write::Versioned};

const WORD: &str = "comment";
const NOT_YOURS: &str = "this is for who wrote the comment, or an owner of the project";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// A comment.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Comment {
    id: Uuid,
    task_id: Uuid,
    /// Null when the author's account is gone.
    author_id: Option<Uuid>,
    /// Markdown.
    body: String,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Comment {
    fn version(&self) -> Version {
        self.version
    }
}

/// A `Comment` out of a row of comments.
macro_rules! json {
    ($comment:literal) => {
        crate::row::object!($comment, id, task_id, author_id, body, version, created_at, updated_at)
    };
}
use json;

/// What a change of a comment needs beyond its version.
enum May {
    /// Its own words are its author's alone.
    Change,
    /// An owner may take any away.
    Delete,
}

/// Why a change of this comment touched nothing.
async fn refusal(connection: &mut PgConnection, caller: &Caller, id: Uuid, may: May) -> Problem {
    let found: Result<Option<(i64, bool, String)>, sqlx::Error> = sqlx::query_as(
        "select comments.version, comments.author_id is not distinct from $2, memberships.role from comments
         join tasks on tasks.id = comments.task_id join memberships on memberships.project_id = tasks.project_id
         where comments.id = $1 and memberships.user_id = $2",
    )
    .bind(id)
    .bind(caller.user)
    .fetch_optional(connection)
    .await;
    match found {
        Ok(Some((current, is_author, role))) => {
            let allowed = match may {
                May::Change => is_author && role != "viewer",
                May::Delete => (is_author && role != "viewer") || role == "owner",
            };
            if allowed {
                Problem::Stale {
                    current: Version::from(current),
                }
            } else {
                Problem::Forbidden(NOT_YOURS)
            }
        }
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

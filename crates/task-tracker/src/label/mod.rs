//! Labels: words with a colour that the tasks of a project share. One endpoint per file.

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
    access::Caller,
    problem::Problem,
    project,
    router::Context,
    task::VIEWERS_LOOK,
    version::Version,
    write::{Failed, Versioned},
};

const WORD: &str = "label";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
}

/// A label.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Label {
    id: Uuid,
    project_id: Uuid,
    name: String,
    colour: String,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Label {
    fn version(&self) -> Version {
        self.version
    }
}

/// As in CSS: `#` and six hexadecimal digits.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(try_from = "String")]
#[schema(value_type = String, pattern = "^#[0-9a-fA-F]{6}$")]
pub(crate) struct Colour(String);

impl From<Colour> for String {
    fn from(colour: Colour) -> Self {
        colour.0
    }
}

impl TryFrom<String> for Colour {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("a colour looks like #1e90ff")
        }
    }
}

/// A `Label` out of a row of labels.
macro_rules! json {
    ($label:literal) => {
        crate::row::object!($label, id, project_id, name, colour, version, created_at, updated_at)
    };
}
use json;

/// For what owners and editors may do.
async fn require_editor(connection: &mut PgConnection, caller: &Caller, project_id: Uuid) -> Result<(), Problem> {
    if project::role(connection, caller, project_id).await?.edits() {
        Ok(())
    } else {
        Err(Problem::Forbidden(VIEWERS_LOOK))
    }
}

/// Why a change of this label touched nothing.
async fn refusal(connection: &mut PgConnection, caller: &Caller, project_id: Uuid, id: Uuid) -> Problem {
    if let Err(problem) = require_editor(connection, caller, project_id).await {
        return problem;
    }
    let found: Result<Option<i64>, sqlx::Error> =
        sqlx::query_scalar("select version from labels where id = $1 and project_id = $2")
            .bind(id)
            .bind(project_id)
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

fn refused(failed: Failed) -> Problem {
    match failed {
        Failed::Constraint(constraint) if constraint == "labels_name_once" => {
            Problem::Conflict("the project has a label of this name")
        }
        // The project went away meanwhile.
        Failed::Constraint(constraint) if constraint == "labels_project_id_fkey" => Problem::NoSuch(project::WORD),
        failed @ (Failed::Constraint(_) | Failed::Because(_)) => failed.into(),
    }
}

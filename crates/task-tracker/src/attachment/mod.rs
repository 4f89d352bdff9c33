//! Attachments: files of a task. One endpoint per file.
//!
//! The bytes never pass through here: a client gets a signed URL of the bucket for exactly the announced length and type,
//! and nobody sees the attachment before the bucket has confirmed both. Rows are the truth: an object whose row is gone is
//! deleted from the bucket in time (`sweep`).

mod bucket;
mod complete;
mod create;
mod delete;
mod file_name;
mod get;
mod list;
mod media;
mod presign;
mod settings;
pub(crate) mod sweep;

pub(crate) use bucket::Bucket;
pub use bucket::NoUrl;
pub(crate) use presign::escaped;
pub use settings::AttachmentSettings;

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
    task::VIEWERS_LOOK,
    version::Version,
    write::Versioned,
};

const WORD: &str = "attachment";
/// When this installation has no bucket.
const NOT_OFFERED: &str = "there are no attachments here: whoever runs this service has to give it ATTACHMENTS_BUCKET";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, delete::delete))
        .routes(routes!(complete::complete))
}

impl Context {
    fn attachments(&self) -> Result<&Bucket, Problem> {
        self.attachments.as_ref().ok_or(Problem::NotOffered(NOT_OFFERED))
    }
}

/// A file of a task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Attachment {
    id: Uuid,
    task_id: Uuid,
    /// Null when the account of who added it is gone.
    author_id: Option<Uuid>,
    /// Without a path, and without characters that files may not have.
    name: String,
    content_type: String,
    /// Bytes.
    size: i64,
    /// Null until the upload was confirmed; until then only who announced it knows of it.
    #[serde(with = "time::serde::rfc3339::option")]
    stored_at: Option<OffsetDateTime>,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Attachment {
    fn version(&self) -> Version {
        self.version
    }
}

/// An `Attachment` out of a row of attachments.
macro_rules! json {
    ($attachment:literal) => {
        crate::row::object!(
            $attachment,
            id,
            task_id,
            author_id,
            name,
            content_type,
            size,
            stored_at,
            version,
            created_at,
            updated_at
        )
    };
}
use json;

/// What the caller is to the project of an attachment, and the attachment's version. One that is not stored yet is there
/// for who announced it only.
async fn standing(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<(Role, Version), Problem> {
    let found: Option<(String, i64)> = sqlx::query_as(
        "select memberships.role, attachments.version from attachments
         join tasks on tasks.id = attachments.task_id join memberships on memberships.project_id = tasks.project_id
         where attachments.id = $1 and memberships.user_id = $2
           and (attachments.stored_at is not null or attachments.author_id = $2)",
    )
    .bind(id)
    .bind(caller.user)
    .fetch_optional(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let (role, version) = found.ok_or(Problem::NoSuch(WORD))?;
    let role = Role::try_from(role).map_err(|_| Problem::NoSuch(WORD))?;
    Ok((role, Version::from(version)))
}

/// Why a change of this attachment touched nothing.
async fn refusal(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Problem {
    match standing(connection, caller, id).await {
        Ok((role, current)) if role.edits() => Problem::Stale { current },
        Ok(_) => Problem::Forbidden(VIEWERS_LOOK),
        Err(problem) => problem,
    }
}

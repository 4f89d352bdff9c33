use axum::{extract::State, http::StatusCode, response::Response};
use serde::Serialize;
use sqlx::types::Json as Row;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    attachment::{Attachment, WORD, bucket::HANDED_OUT, json},
    extract::Id,
    problem::Problem,
    router::Context,
    write::Versioned,
};

/// Where a file can be fetched.
#[derive(Serialize, ToSchema)]
pub(crate) struct Download {
    /// `GET` it; it comes as a file to save.
    url: String,
    /// The download has to begin before.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// An attachment, and where to fetch it.
#[derive(Serialize, ToSchema)]
pub(crate) struct StoredAttachment {
    #[serde(flatten)]
    attachment: Attachment,
    download: Download,
}

/// Get an attachment
///
/// With a URL by which it can be fetched within 15 minutes, by whoever has the URL.
#[utoipa::path(
    get, path = "/api/v1/attachments/{id}", operation_id = "get_attachment", tag = "attachments",
    params(("id" = Uuid, Path, description = "The attachment")),
    responses((status = 200, description = "It", body = StoredAttachment)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn get(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let bucket = context.attachments()?;
    let mut connection = context.database.connection().await?;
    let found: Option<(Row<Attachment>, String)> = sqlx::query_as(concat!(
        "select ",
        json!("attachments"),
        ", attachments.object_key from attachments
         join tasks on tasks.id = attachments.task_id join memberships on memberships.project_id = tasks.project_id
         where attachments.id = $1 and memberships.user_id = $2 and attachments.stored_at is not null"
    ))
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    drop(connection);
    let (Row(attachment), key) = found.ok_or(Problem::NoSuch(WORD))?;
    let now = OffsetDateTime::now_utc();
    let url = bucket
        .download(&key, &attachment.name, &attachment.content_type, now)
        .await?;
    let download = Download {
        url: url.into(),
        expires_at: now + HANDED_OUT,
    };
    let version = attachment.version();
    Ok(version.respond(StatusCode::OK, StoredAttachment { attachment, download }))
}

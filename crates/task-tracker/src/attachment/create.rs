use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    attachment::{Attachment, bucket::HANDED_OUT, file_name, json, media::MediaType},
    extract::{Body, Id, Whole},
    problem::Problem,
    router::Context,
    task,
    text::Name,
    version::Version,
    write::{Failed, Versioned, Write, change},
};

/// More than anybody looks through.
const MOST: i64 = 100;

/// A number of bytes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "f64")]
pub(crate) struct Bytes(i64);

impl TryFrom<f64> for Bytes {
    type Error = &'static str;

    fn try_from(bytes: f64) -> Result<Self, Self::Error> {
        Whole::<1, 9_007_199_254_740_991>::try_from(bytes)
            .map(|whole| Self(whole.get()))
            .map_err(|_| "a size is a whole number of bytes, from 1")
    }
}

/// A file to come.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAttachment {
    /// What it is called; a path, and characters that files may not have, are left out.
    name: Name,
    content_type: MediaType,
    /// Bytes.
    #[schema(value_type = i64, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    size: Bytes,
}

/// Where the file goes.
#[derive(Serialize, ToSchema)]
pub(crate) struct Upload {
    /// `PUT` the file here.
    url: String,
    /// Exactly these, by their names; browsers add the length themselves.
    headers: BTreeMap<&'static str, String>,
    /// The upload has to begin before.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// An attachment that was announced.
#[derive(Serialize, ToSchema)]
pub(crate) struct AnnouncedAttachment {
    #[serde(flatten)]
    attachment: Attachment,
    upload: Upload,
}

impl Versioned for AnnouncedAttachment {
    fn version(&self) -> Version {
        self.attachment.version()
    }
}

/// Announce an attachment
///
/// For owners and editors. The answer says where to `PUT` the file within 15 minutes; confirm the upload afterwards. Until
/// then nobody else sees it, and after an hour it is forgotten.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/attachments", operation_id = "create_attachment", tag = "attachments",
    params(("id" = Uuid, Path, description = "The task")),
    request_body = NewAttachment,
    responses(
        (status = 201, description = "To be uploaded", body = AnnouncedAttachment),
        (status = 409, description = "The task has too many"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(task_id): Id,
    Body(new): Body<NewAttachment>,
) -> Result<Response, Problem> {
    let bucket = context.attachments()?;
    let (Bytes(size), media) = (new.size, new.content_type);
    if size > bucket.largest() {
        return Err(Problem::Rule("the file is larger than this installation takes"));
    }
    let id = Uuid::now_v7();
    let made = Write::<Attachment>::new(
        &caller,
        "attachment.announced",
        StatusCode::CREATED,
        change!(
            "of as (
                select tasks.id, tasks.project_id from tasks
                join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $10 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and (select count(*) from attachments where attachments.task_id = $10) < $16
             ), made as (
                insert into attachments (id, task_id, author_id, name, content_type, size, object_key, upload_until)
                select $9, of.id, $1, $11, $12, $13, $14, now() + make_interval(secs => $15) from of returning *
             ), effect as (
                select of.project_id as project, made.id as target, null::jsonb as before, ",
            json!("made"),
            " as after from made join of on of.id = made.task_id
             )"
        ),
    )
    .bind(id)
    .bind(task_id)
    .bind(file_name::tidied(new.name.as_str()))
    .bind(media.as_str())
    .bind(size)
    .bind(key(id))
    .bind(HANDED_OUT.as_secs_f64())
    .bind(MOST)
    .run(&context.database)
    .await;
    let made = match made {
        Ok(Some(made)) => made,
        Ok(None) => {
            task::require_editor(&mut *context.database.connection().await?, &caller, task_id).await?;
            return Err(Problem::Conflict("the task has 100 attachments already"));
        }
        Err(Failed::Constraint(constraint)) if constraint == "attachments_task_id_fkey" => {
            return Err(Problem::NoSuch(task::WORD));
        }
        Err(failed) => return Err(failed.into()),
    };
    // Of the row, which is an older one when the request is repeated.
    let id = made.row().map_or(id, |attachment| attachment.id);
    let now = OffsetDateTime::now_utc();
    let (url, headers) = bucket.upload(&key(id), size, media, now).await?;
    let upload = Upload {
        url: url.into(),
        headers: headers.into_iter().collect(),
        expires_at: now + HANDED_OUT,
    };
    let made = made.map(|attachment| AnnouncedAttachment { attachment, upload });
    Ok(made.respond_at(|made| format!("/api/v1/attachments/{}", made.attachment.id)))
}

/// Nothing that a user wrote is in it.
fn key(id: Uuid) -> String {
    format!("attachments/{id}")
}

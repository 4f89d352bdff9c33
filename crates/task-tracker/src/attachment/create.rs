use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    attachment::{Attachment, bucket::HANDED_OUT, file_name, json, media::MediaType},
    effect::made,
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
        (status = 409, description = "The task has too many, or the project's files take all their room"),
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
            "of as materialized (
                select tasks.id, tasks.project_id from tasks
                join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $10 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and (select count(*) from attachments where attachments.task_id = $10) < $16
             ), fitting as materialized (
                select id from of where attachment_fits(project_id, $13, $17)
             ), made as (
                insert into attachments (id, task_id, author_id, name, content_type, size, object_key, upload_until)
                select $9, fitting.id, $1, $11, $12, $13, $14, now() + make_interval(secs => $15) from fitting returning *
             )",
            // Nobody else hears of it before it is there.
            made!("null::uuid", json!("made"))
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
    .bind(bucket.room())
    .run(&context.database)
    .await;
    let made = match made {
        Ok(Some(made)) => made,
        Ok(None) => {
            return Err(refusal(&context, &caller, task_id, bucket.room()).await?);
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

/// Why this task takes no further file.
async fn refusal(context: &Context, caller: &Caller, task_id: Uuid, room: i64) -> Result<Problem, Problem> {
    let mut connection = context.database.connection().await?;
    task::require_editor(&mut connection, caller, task_id).await?;
    let (count, taken): (i64, i64) = sqlx::query_as(
        "select (select count(*) from attachments where task_id = tasks.id),
                (select coalesce(sum(size), 0)::bigint from attachment_weights where project_id = tasks.project_id)
         from tasks where tasks.id = $1
           and exists (select from memberships
                       where memberships.project_id = tasks.project_id and memberships.user_id = $2)",
    )
    .bind(task_id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?
    .ok_or(Problem::NoSuch(task::WORD))?;
    Ok(if count >= MOST {
        Problem::Conflict("the task has 100 attachments already")
    } else {
        Problem::NoRoom { room, taken }
    })
}

/// Nothing that a user wrote is in it.
fn key(id: Uuid) -> String {
    format!("attachments/{id}")
}

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    attachment::{Attachment, json, refusal},
    effect::gone,
    extract::Id,
    problem::Problem,
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// Delete an attachment
///
/// For owners and editors. URLs that were handed out work until the bucket has let go of the file, within half an hour.
#[utoipa::path(
    delete, path = "/api/v1/attachments/{id}", operation_id = "delete_attachment", tag = "attachments",
    params(("id" = Uuid, Path, description = "The attachment"), ("if-match" = String, Header, description = "Its ETag")),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    context.attachments()?;
    let deleted = Write::<Attachment>::new(
        &caller,
        "attachment.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from attachments using tasks, memberships
                where attachments.id = $9 and tasks.id = attachments.task_id
                  and memberships.project_id = tasks.project_id and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor')
                  and (attachments.stored_at is not null or attachments.author_id = $1)
                  and ($10::bigint[] is null or attachments.version = any($10))
                returning attachments.*, tasks.project_id
             )",
            // Of what was never there for the others they hear nothing now either.
            gone!("case when stored_at is not null then project_id end", json!("gone"))
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .run(&context.database)
    .await?;
    match deleted {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id).await),
    }
}

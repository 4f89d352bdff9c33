use axum::{extract::State, http::StatusCode, response::Response};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    attachment::{Attachment, WORD, bucket::Held, json, standing},
    extract::Id,
    problem::Problem,
    router::Context,
    task::VIEWERS_LOOK,
    write::{self, Versioned, Write, change},
};

/// Confirm an upload
///
/// For who announced it. The bucket is asked what it has; from then on the attachment is there for everybody in the
/// project. Confirming twice changes nothing.
#[utoipa::path(
    post, path = "/api/v1/attachments/{id}/completion", operation_id = "complete_attachment", tag = "attachments",
    params(("id" = Uuid, Path, description = "The attachment")),
    responses(
        (status = 200, description = "It is there", body = Attachment),
        (status = 409, description = "Nothing was uploaded, or not what was announced"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn complete(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let bucket = context.attachments()?;
    if let Some(done) = write::before::<Attachment>(&caller, &context.database).await? {
        return Ok(done.respond());
    }
    let mut connection = context.database.connection().await?;
    let found: Option<(Row<Attachment>, String)> = sqlx::query_as(concat!(
        "select ",
        json!("attachments"),
        ", attachments.object_key from attachments
         join tasks on tasks.id = attachments.task_id join memberships on memberships.project_id = tasks.project_id
         where attachments.id = $1 and attachments.author_id = $2 and memberships.user_id = $2
           and memberships.role in ('owner', 'editor')"
    ))
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Some((Row(announced), key)) = found else {
        return Err(match standing(&mut connection, &caller, id).await {
            Ok((role, _)) if role.edits() => {
                Problem::Forbidden("only who announced the attachment may confirm its upload")
            }
            Ok(_) => Problem::Forbidden(VIEWERS_LOOK),
            Err(problem) => problem,
        });
    };
    if announced.stored_at.is_some() {
        return Ok(announced.version().respond(StatusCode::OK, announced));
    }
    // The bucket takes its time; the connection is for others meanwhile.
    drop(connection);
    match bucket.look(&key).await? {
        Held::Nothing => return Err(Problem::Conflict("nothing was uploaded yet")),
        Held::Object { size, content_type } => {
            if size != Some(announced.size) || content_type != announced.content_type {
                return Err(Problem::Conflict(
                    "what was uploaded has another size or type than was announced; announce it anew",
                ));
            }
        }
    }
    let stored = Write::<Attachment>::new(
        &caller,
        "attachment.added",
        StatusCode::OK,
        change!(
            "old as (
                select attachments.*, tasks.project_id from attachments join tasks on tasks.id = attachments.task_id
                join memberships on memberships.project_id = tasks.project_id
                where attachments.id = $9 and attachments.author_id = $1 and attachments.stored_at is null
                  and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                for update of attachments
             ), new as (
                update attachments set stored_at = now(), version = attachments.version + 1, updated_at = now()
                from old where attachments.id = old.id
                returning attachments.*
             ), effect as (
                select old.project_id as project, new.id as target, null::jsonb as before, ",
            // For all the others it is new: they hear all of it.
            json!("new"),
            " as after from old join new on new.id = old.id
             )"
        ),
    )
    .bind(id)
    .run(&context.database)
    .await?;
    match stored {
        Some(done) => Ok(done.respond()),
        // Deleted, forgotten or confirmed between the two looks.
        None => Err(Problem::NoSuch(WORD)),
    }
}

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Ids,
    label::{Label, json, refusal},
    problem::Problem,
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// Delete a label
///
/// For owners and editors. The tasks that have it lose it, and get a new version.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/labels/{label_id}", operation_id = "delete_label", tag = "labels",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("label_id" = Uuid, Path, description = "The label"),
        ("if-match" = String, Header, description = "Its ETag: the label's version in double quotes"),
    ),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, id): Ids,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let deleted = Write::<Label>::new(
        &caller,
        "label.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from labels using memberships
                where labels.id = $9 and labels.project_id = $10 and memberships.project_id = labels.project_id
                  and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and ($11::bigint[] is null or labels.version = any($11))
                returning labels.*
             ), taken_off as (
                update tasks
                set label_ids = array_remove(tasks.label_ids, gone.id), version = tasks.version + 1, updated_at = now()
                from gone where tasks.project_id = gone.project_id and gone.id = any(tasks.label_ids)
             )",
            gone!("project_id", json!("gone"))
        ),
    )
    .bind(id)
    .bind(project_id)
    .bind(if_match.versions())
    .run(&context.database)
    .await?;
    match deleted {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, project_id, id).await),
    }
}

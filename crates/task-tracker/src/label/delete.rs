use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Ids,
    label::{Label, json, refusal},
    leftover::taken_off,
    problem::Problem,
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// Delete a label
///
/// For owners and editors. The tasks that have it lose it, and each gets a new version and an event of its own: up to a thousand at once, the
/// others within the next minutes.
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
            also;
            "gone as (
                delete from labels using memberships
                where labels.id = $9 and labels.project_id = $10 and memberships.project_id = labels.project_id
                  and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and ($11::bigint[] is null or labels.version = any($11))
                returning labels.*
             ), ",
            taken_off!("label", "id", label_ids),
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

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Id,
    problem::Problem,
    project::{Project, json, refusal},
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// Delete a project
///
/// For owners. Its tasks, members and invitations go with it.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}", operation_id = "delete_project", tag = "projects",
    params(("id" = Uuid, Path, description = "The project"), ("if-match" = String, Header, description = "Its ETag")),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let deleted = Write::<Project>::new(
        &caller,
        "project.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from projects using memberships
                where projects.id = $9 and memberships.project_id = projects.id and memberships.user_id = $1
                  and memberships.role = 'owner' and ($10::bigint[] is null or projects.version = any($10))
                returning projects.*, memberships.role
             )",
            gone!("id", json!("gone", "gone.role"))
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

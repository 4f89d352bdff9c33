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
/// For owners. At once it is nobody's any more; its tasks, and all that belongs to them, are cleared away within the next minutes, and its id is
/// free again after that.
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
                select projects.*, memberships.role from projects join memberships on memberships.project_id = projects.id
                where projects.id = $9 and memberships.user_id = $1
                  and memberships.role = 'owner' and ($10::bigint[] is null or projects.version = any($10))
                -- Of two who do it at once the second finds no membership any more.
                for update
             ), hidden as (
                delete from memberships using gone where memberships.project_id = gone.id
             ), closed as (
                delete from invitations using gone where invitations.project_id = gone.id
             ), left_over as (
                insert into leftovers (id, project_id, what, actor_id, token_id, request_id)
                select gen_random_uuid(), id, 'project', $1, $2, $4 from gone
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

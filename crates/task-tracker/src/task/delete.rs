use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Id,
    problem::Problem,
    router::Context,
    task::{Task, json, refusal, tree::freed},
    version::IfMatch,
    write::{Write, change},
};

/// Delete a task
///
/// For owners and editors. Its subtasks stay: they stand by themselves now, and each
/// gets a new version and an event of its own.
#[utoipa::path(
    delete, path = "/api/v1/tasks/{id}", operation_id = "delete_task", tag = "tasks",
    params(("id" = Uuid, Path, description = "The task"), ("if-match" = String, Header, description = "Its ETag")),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let versions = if_match.versions();
    let deleted = Write::<Task>::new(
        &caller,
        "task.deleted",
        StatusCode::NO_CONTENT,
        change!(
            also;
            "gone as (
                delete from tasks using memberships
                where tasks.id = $9 and memberships.project_id = tasks.project_id and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor') and ($10::bigint[] is null or tasks.version = any($10))
                returning tasks.*
             ), ",
            freed!("array[$9]"),
            gone!("project_id", json!("gone"))
        ),
    )
    .bind(id)
    .bind(versions.clone())
    .run(&context.database)
    .await?;
    match deleted {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id, versions).await),
    }
}

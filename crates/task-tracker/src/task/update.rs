use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    extract::{Body, Id, present},
    problem::Problem,
    router::Context,
    task::{Status, Task, json, refusal},
    text::{Name, Prose},
    version::IfMatch,
    write::{Write, change},
};

/// What to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskChange, min_properties = 1)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    title: Option<Name>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    description: Option<Prose>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    status: Option<Status>,
}

/// Change a task
///
/// For owners and editors.
#[utoipa::path(
    patch, path = "/api/v1/tasks/{id}", operation_id = "update_task", tag = "tasks",
    params(("id" = Uuid, Path, description = "The task"), ("if-match" = String, Header, description = "Its ETag")),
    request_body = Change,
    responses((status = 200, description = "As it is now", body = Task)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    if change.title.is_none() && change.description.is_none() && change.status.is_none() {
        return Err(Problem::Invalid {
            detail: "name at least one field to change".into(),
        });
    }
    let mut connection = context.database.connection().await?;
    let changed = Write::<Task>::new(
        &caller,
        "task.changed",
        StatusCode::OK,
        change!(
            "old as (
                select tasks.* from tasks join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $9 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and ($10::bigint[] is null or tasks.version = any($10))
                for update of tasks
             ), new as (
                update tasks
                set title = coalesce($11, tasks.title), description = coalesce($12, tasks.description),
                    status = coalesce($13, tasks.status), version = tasks.version + 1, updated_at = now()
                from old where tasks.id = old.id
                returning tasks.*
             ), effect as (
                select new.project_id as project, new.id as target, ",
            json!("old"),
            " as before, ",
            json!("new"),
            " as after from old join new on new.id = old.id
             )"
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .bind(change.title.map(String::from))
    .bind(change.description.map(String::from))
    .bind(change.status.map(Status::as_str))
    .run(&mut connection)
    .await?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut connection, &caller, id).await),
    }
}

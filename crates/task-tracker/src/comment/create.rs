use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    comment::{Comment, json},
    extract::{Body, Id},
    problem::Problem,
    router::Context,
    task,
    text::Words,
    write::{Failed, Write, change},
};

/// What to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewComment {
    body: Words,
}

/// Comment on a task
///
/// For owners and editors.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/comments", operation_id = "create_comment", tag = "comments",
    params(("id" = Uuid, Path, description = "The task")),
    request_body = NewComment,
    responses((status = 201, description = "Made", body = Comment)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(task_id): Id,
    Body(new): Body<NewComment>,
) -> Result<Response, Problem> {
    let made = Write::<Comment>::new(
        &caller,
        "comment.created",
        StatusCode::CREATED,
        change!(
            "of as (
                select tasks.id, tasks.project_id from tasks
                join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $10 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
             ), made as (
                insert into comments (id, task_id, author_id, body) select $9, of.id, $1, $11 from of returning *
             ), effect as (
                select of.project_id as project, made.id as target, null::jsonb as before, ",
            json!("made"),
            " as after from made join of on of.id = made.task_id
             )"
        ),
    )
    .bind(Uuid::now_v7())
    .bind(task_id)
    .bind(String::from(new.body))
    .run(&context.database)
    .await;
    match made {
        Ok(Some(done)) => Ok(done.respond_at(|comment| format!("/api/v1/comments/{}", comment.id))),
        Ok(None) => {
            task::require_editor(&mut *context.database.connection().await?, &caller, task_id).await?;
            // Deleted between the two looks.
            Err(Problem::NoSuch(task::WORD))
        }
        Err(Failed::Constraint(constraint)) if constraint == "comments_task_id_fkey" => {
            Err(Problem::NoSuch(task::WORD))
        }
        Err(failed) => Err(failed.into()),
    }
}

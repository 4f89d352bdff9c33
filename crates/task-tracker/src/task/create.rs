use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    database::Database,
    effect::made,
    extract::{Body, ChosenId, Id},
    problem::Problem,
    project,
    router::Context,
    task::{
        Task, VIEWERS_LOOK, WORD,
        fields::{Few, Moment, Priority, Status, of_elsewhere, of_the_project},
        json, place, rank, tree,
    },
    text::{Name, Prose},
    version,
    write::{Done, Failed, Write, change},
};

/// With an id of its own choice a client may repeat the request after a lost answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewTask {
    id: Option<ChosenId>,
    title: Name,
    #[serde(default)]
    description: Prose,
    #[serde(default)]
    status: Status,
    #[serde(default)]
    priority: Priority,
    due_at: Option<Moment>,
    #[serde(default)]
    assignee_ids: Few,
    #[serde(default)]
    label_ids: Few,
    /// The task of the same project that it is a part of.
    parent_id: Option<Uuid>,
}

/// Make a task
///
/// For owners and editors. Sent again with the same id and content it answers 200 and changes nothing.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/tasks", operation_id = "create_task", tag = "tasks",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewTask,
    responses(
        (status = 201, description = "Made", body = Task),
        (status = 200, description = "It was there already, just like this", body = Task),
        (status = 409, description = "Another task has this id"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Body(new): Body<NewTask>,
) -> Result<Response, Problem> {
    let id = ChosenId::or_new(new.id);
    if let Some(done) = insert(&context.database, &caller, id, project_id, &new).await? {
        return Ok(done.respond_at(place));
    }
    Box::pin(not_made(&context, &caller, id, project_id, &new)).await
}

/// The task that is there already, when it is just like this, or what forbids a new one.
async fn not_made(
    context: &Context,
    caller: &Caller,
    id: Uuid,
    project_id: Uuid,
    new: &NewTask,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    if let Some(Json(task)) = same(&mut connection, caller, id, project_id, new).await? {
        let place = [(header::LOCATION, place(&task))];
        return Ok((place, version::respond(StatusCode::OK, task)).into_response());
    }
    if !project::role(&mut connection, caller, project_id).await?.edits() {
        return Err(Problem::Forbidden(VIEWERS_LOOK));
    }
    let is_taken: bool = sqlx::query_scalar("select exists (select from tasks where id = $1)")
        .bind(id)
        .fetch_one(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    Err(if is_taken {
        Problem::IdTaken(WORD)
    } else {
        of_elsewhere()
    })
}

/// Nothing comes back when the id is taken, the project is not the caller's to change, or a label, an assignee or the parent is
/// not of it.
async fn insert(
    database: &Database,
    caller: &Caller,
    id: Uuid,
    project_id: Uuid,
    new: &NewTask,
) -> Result<Option<Done<Task>>, Problem> {
    let inserted = Write::new(
        caller,
        "task.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into tasks (id, project_id, title, description, status, priority, due_at, rank, assignee_ids, label_ids)
                select $9, memberships.project_id, $11, $12, $13, $14, $15, $16, $17, $18 from memberships
                where memberships.project_id = $10 and memberships.user_id = $1
                  and memberships.role in ('owner', 'editor') and ",
            of_the_project!("$10", "$17", "$18", "$19"),
            "
                on conflict (id) do nothing
                returning *
             ), below as (
                insert into subtasks (task_id, parent_id, project_id)
                select id, $19, project_id from made where $19::uuid is not null
             )",
            made!("project_id", json!("made", "$19::uuid"))
        ),
    )
    .bind(id)
    .bind(project_id)
    .bind(String::from(new.title.clone()))
    .bind(String::from(new.description.clone()))
    .bind(new.status.as_str())
    .bind(new.priority.as_str())
    .bind(new.due_at.map(OffsetDateTime::from))
    .bind(rank::at_end(OffsetDateTime::now_utc()))
    .bind(Vec::from(new.assignee_ids.clone()))
    .bind(Vec::from(new.label_ids.clone()))
    .bind(new.parent_id)
    .run(database)
    .await;
    match inserted {
        // The project went away between the look at the membership and the check of the foreign key.
        Err(Failed::Constraint(constraint)) if constraint.ends_with("_project_id_fkey") => Ok(None),
        inserted => inserted.map_err(tree::refused),
    }
}

async fn same(
    connection: &mut PgConnection,
    caller: &Caller,
    id: Uuid,
    project_id: Uuid,
    new: &NewTask,
) -> Result<Option<Json<Task>>, Problem> {
    sqlx::query_scalar(concat!(
        "select ",
        json!("tasks"),
        " from tasks join memberships on memberships.project_id = tasks.project_id
         where tasks.id = $1 and tasks.project_id = $2 and title = $3 and description = $4 and status = $5
           and memberships.user_id = $6 and priority = $7 and due_at is not distinct from $8
           and assignee_ids = $9 and label_ids = $10
           and (select parent_id from subtasks where task_id = tasks.id) is not distinct from $11"
    ))
    .bind(id)
    .bind(project_id)
    .bind(new.title.as_str())
    .bind(new.description.as_str())
    .bind(new.status.as_str())
    .bind(caller.user)
    .bind(new.priority.as_str())
    .bind(new.due_at.map(OffsetDateTime::from))
    .bind(Vec::from(new.assignee_ids.clone()))
    .bind(Vec::from(new.label_ids.clone()))
    .bind(new.parent_id)
    .fetch_optional(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

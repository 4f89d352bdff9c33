use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    effect::changed,
    extract::{Body, Id, Nullable, present},
    problem::Problem,
    router::Context,
    task::{
        Task,
        fields::{Few, Moment, Priority, Status, of_the_project},
        json, refusal,
        tree::{self, parent, placed},
    },
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
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    priority: Option<Priority>,
    /// Null takes the due date away.
    #[serde(default)]
    #[schema(value_type = Option<Moment>)]
    due_at: Nullable<Moment>,
    /// All of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    assignee_ids: Option<Few>,
    /// All of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    label_ids: Option<Few>,
    /// The task of the same project to be a part of, with all its own parts; null lets it stand by itself.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    parent_id: Nullable<Uuid>,
}

impl Change {
    fn is_empty(&self) -> bool {
        let Self {
            title,
            description,
            status,
            priority,
            due_at,
            assignee_ids,
            label_ids,
            parent_id,
        } = self;
        let texts = title.is_none() && description.is_none();
        let states = status.is_none() && priority.is_none() && due_at.is_absent();
        let places = assignee_ids.is_none() && label_ids.is_none() && parent_id.is_absent();
        texts && states && places
    }
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
    if change.is_empty() {
        return Err(Problem::no_field());
    }
    let versions = if_match.versions();
    let changed = Write::<Task>::new(
        &caller,
        "task.changed",
        StatusCode::OK,
        change!(
            "old as (
                select tasks.* from tasks join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $9 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and ($10::bigint[] is null or tasks.version = any($10))
                  and ",
            of_the_project!("tasks.project_id", "$17", "$18", "$20"),
            "
                for no key update of tasks
             ), new as (
                update tasks
                set title = coalesce($11, tasks.title), description = coalesce($12, tasks.description),
                    status = coalesce($13, tasks.status), priority = coalesce($14, tasks.priority),
                    due_at = case when $15 then $16 else tasks.due_at end,
                    assignee_ids = coalesce($17, tasks.assignee_ids), label_ids = coalesce($18, tasks.label_ids),
                    version = tasks.version + 1, updated_at = now()
                from old where tasks.id = old.id
                returning tasks.*
             ), ",
            placed!("$19", "$20"),
            changed!(
                "new.project_id",
                json!("old"),
                json!("new", parent!("new", "$19", "$20"))
            )
        ),
    )
    .bind(id)
    .bind(versions.clone())
    .bind(change.title.map(String::from))
    .bind(change.description.map(String::from))
    .bind(change.status.map(Status::as_str))
    .bind(change.priority.map(Priority::as_str))
    .bind(!change.due_at.is_absent())
    .bind(change.due_at.value().map(OffsetDateTime::from))
    .bind(change.assignee_ids.map(Vec::from))
    .bind(change.label_ids.map(Vec::from))
    .bind(!change.parent_id.is_absent())
    .bind(change.parent_id.value())
    .run(&context.database)
    .await
    .map_err(tree::refused)?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id, versions).await),
    }
}

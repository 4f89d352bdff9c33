use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    database::Database,
    effect::changed,
    extract::{Body, Id, present},
    problem::Problem,
    router::Context,
    task::{
        Task,
        crowd::{self, Side},
        fields::Status,
        json, rank, refusal,
    },
    version::IfMatch,
    write::{self, Write, change},
};

/// Where to: right behind one task, right before another, or at the end when neither is named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Move {
    /// A task of the same project to stand behind.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    after: Option<Uuid>,
    /// A task of the same project to stand before; not together with `after`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    before: Option<Uuid>,
    /// The column to move to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    status: Option<Status>,
}

/// Move a task
///
/// For owners and editors. Changes its place, and its status if asked. Hardly ever touches another task: where so many were put into
/// one gap that there is no room left, those around it get new ranks, in the same order, each with an event of its own.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/move", operation_id = "move_task", tag = "tasks",
    params(("id" = Uuid, Path, description = "The task"), ("if-match" = String, Header, description = "Its ETag")),
    request_body = Move,
    responses((status = 200, description = "As it is now", body = Task)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn move_to(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    Body(wanted): Body<Move>,
) -> Result<Response, Problem> {
    // The neighbour may have gone since the move that this may be a repetition of.
    if let Some(done) = write::before::<Task>(&caller, &context.database).await? {
        return Ok(done.respond());
    }
    let versions = if_match.versions();
    let beside = Beside {
        after: wanted.after,
        before: wanted.before,
    };
    let rank = places(&context.database, &caller, &[id], beside).await?.pop();
    let moved = Write::<Task>::new(
        &caller,
        "task.moved",
        StatusCode::OK,
        change!(
            "old as (
                select tasks.* from tasks join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $9 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and ($10::bigint[] is null or tasks.version = any($10))
                for update of tasks
             ), new as (
                update tasks
                set rank = $11, status = coalesce($12, tasks.status), version = tasks.version + 1, updated_at = now()
                from old where tasks.id = old.id
                returning tasks.*
             )",
            changed!("new.project_id", json!("old"), json!("new"))
        ),
    )
    .bind(id)
    .bind(versions.clone())
    .bind(rank)
    .bind(wanted.status.map(Status::as_str))
    .run(&context.database)
    .await?;
    match moved {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id, versions).await),
    }
}

/// Where to move to, seen from a task that stays.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) after: Option<Uuid>,
    pub(super) before: Option<Uuid>,
}

/// The ranks for the place that is wanted, one for each task that moves, as the others stand now.
pub(super) async fn places(
    database: &Database,
    caller: &Caller,
    moving: &[Uuid],
    wanted: Beside,
) -> Result<Vec<String>, Problem> {
    let neighbour = match (wanted.after, wanted.before) {
        (None, None) => return Ok(rank::several_at_end(OffsetDateTime::now_utc(), moving.len())),
        (Some(_), Some(_)) => {
            return Err(Problem::Rule(
                "name a task to stand behind or one to stand before, not both",
            ));
        }
        (Some(neighbour), None) | (None, Some(neighbour)) => neighbour,
    };
    let side = match wanted.after {
        Some(_) => Side::After,
        None => Side::Before,
    };
    let mut connection = database.connection().await?;
    let ranks = beside(&mut connection, caller, moving, side, neighbour).await?;
    // More room can only be made once: what else there is then is what there is.
    if crowd::is_crowded(&ranks) && crowd::spread(&mut connection, caller, moving, side, neighbour).await? {
        return beside(&mut connection, caller, moving, side, neighbour).await;
    }
    Ok(ranks)
}

async fn beside(
    connection: &mut PgConnection,
    caller: &Caller,
    moving: &[Uuid],
    side: Side,
    neighbour: Uuid,
) -> Result<Vec<String>, Problem> {
    // The neighbour's rank, and the next ones below and above it, leaving out the tasks that move.
    let found: Option<(String, Option<String>, Option<String>)> = sqlx::query_as(concat!(
        "with project as (
            select distinct tasks.project_id from tasks
            join memberships on memberships.project_id = tasks.project_id
            where tasks.id = any($1) and memberships.user_id = $2
         ), ranked as (
            select others.id, ",
        rank::of!("others"),
        " as rank from tasks as others join project on project.project_id = others.project_id
            where others.id <> all($1)
         )
         select near.rank, (select max(rank) from ranked where rank < near.rank),
                (select min(rank) from ranked where rank > near.rank)
         from ranked as near where near.id = $3"
    ))
    .bind(moving)
    .bind(caller.user)
    .bind(neighbour)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let Some((near, below, above)) = found else {
        // Somebody who may not know the task itself hears nothing of its neighbours.
        if let [id] = moving {
            super::role(connection, caller, *id).await?;
        }
        return Err(Problem::Rule(
            "the task to stand next to is another task of the same project",
        ));
    };
    let (lower, upper) = match side {
        Side::After => (Some(near), above),
        Side::Before => (below, Some(near)),
    };
    // Behind the last one is at the end, and what is made later has to come behind that.
    let end = rank::several_at_end(OffsetDateTime::now_utc(), moving.len());
    let is_end = upper.is_none() && lower.as_ref() < end.first();
    Ok(if is_end {
        end
    } else {
        rank::several_between(lower.as_deref(), upper.as_deref(), moving.len())
    })
}

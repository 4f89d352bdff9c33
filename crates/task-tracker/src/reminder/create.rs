use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    effect::made,
    extract::{Body, Id, Whole, present},
    problem::Problem,
    reminder::{Reminder, json},
    router::Context,
    task::{self, Moment},
    write::{Failed, Write, change},
};

/// More would be noise.
const MOST: i64 = 20;

/// When to be reminded: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1, max_properties = 1)]
pub(crate) struct NewReminder {
    /// At this moment, whenever the task is due.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    at: Option<Moment>,
    /// So long before the task is due, wherever its due date moves; up to a year.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<u32>, nullable = false, minimum = 0, maximum = 525_600)]
    minutes_before_due: Option<Whole<0, 525_600>>,
}

/// Be reminded of a task
///
/// For every member, for oneself. Delivered into one's notifications within seconds of its moment, or at once when that has
/// passed; not when the task is done by then. It is delivered anew when the due date moves so that its moment is yet to come.
#[utoipa::path(
    post, path = "/api/v1/tasks/{id}/reminders", operation_id = "create_reminder", tag = "reminders",
    params(("id" = Uuid, Path, description = "The task")),
    request_body = NewReminder,
    responses(
        (status = 201, description = "Made", body = Reminder),
        (status = 409, description = "There are too many already"),
    ),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(task_id): Id,
    Body(new): Body<NewReminder>,
) -> Result<Response, Problem> {
    if new.at.is_some() == new.minutes_before_due.is_some() {
        return Err(Problem::Invalid {
            detail: "name a moment or the minutes before the due date, not both".into(),
        });
    }
    // Whoever moves the due date at this moment is waited for: the reminder would not move along yet.
    let made = Write::<Reminder>::new(
        &caller,
        "reminder.created",
        StatusCode::CREATED,
        change!(
            "of as (
                select tasks.id, tasks.due_at from tasks join memberships on memberships.project_id = tasks.project_id
                where tasks.id = $10 and memberships.user_id = $1
                for share of tasks
             ), made as (
                insert into reminders (id, task_id, user_id, at, minutes_before_due, fires_at)
                select $9, of.id, $1, $11, $12, coalesce($11, moment_before(of.due_at, $12)) from of
                where (select count(*) from reminders where reminders.task_id = of.id and reminders.user_id = $1) < $13
                returning *
             )",
            made!("null::uuid", json!("made"))
        ),
    )
    .bind(Uuid::now_v7())
    .bind(task_id)
    .bind(new.at.map(OffsetDateTime::from))
    .bind(new.minutes_before_due.map(Whole::get))
    .bind(MOST)
    .run(&context.database)
    .await;
    let made = match made {
        Ok(made) => made,
        // Deleted meanwhile.
        Err(Failed::Constraint(constraint)) if constraint == "reminders_task_id_fkey" => None,
        Err(failed) => return Err(failed.into()),
    };
    if let Some(done) = made {
        return Ok(done.respond_plainly());
    }
    task::role(&mut *context.database.connection().await?, &caller, task_id).await?;
    Err(Problem::Conflict(
        "you have 20 reminders of this task already; delete one first",
    ))
}

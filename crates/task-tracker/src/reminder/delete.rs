use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Id,
    problem::Problem,
    reminder::{Reminder, WORD, json},
    router::Context,
    write::{Write, change},
};

/// Delete one of one's reminders
///
/// What it delivered stays among the notifications.
#[utoipa::path(
    delete, path = "/api/v1/reminders/{id}", operation_id = "delete_reminder", tag = "reminders",
    params(("id" = Uuid, Path, description = "The reminder")),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn delete(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let deleted = Write::<Reminder>::new(
        &caller,
        "reminder.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from reminders where id = $9 and user_id = $1 returning *
             )",
            gone!("null::uuid", json!("gone"))
        ),
    )
    .bind(id)
    .run(&context.database)
    .await?;
    deleted.map_or(Err(Problem::NoSuch(WORD)), |done| Ok(done.respond_plainly()))
}

use axum::{extract::State, http::StatusCode, response::Response};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    access::Caller,
    extract::Id,
    notification::{Notification, WORD, json, task},
    problem::Problem,
    router::Context,
    write::{Write, change},
};

/// Say that a notification was read
#[utoipa::path(
    put, path = "/api/v1/notifications/{id}/read", operation_id = "read_notification", tag = "notifications",
    params(("id" = Uuid, Path, description = "The notification")),
    responses((status = 200, description = "As it is now", body = Notification)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn read(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    mark(&context, &caller, id, Mark::Read).await
}

/// Say that a notification is yet to be read
#[utoipa::path(
    delete, path = "/api/v1/notifications/{id}/read", operation_id = "unread_notification", tag = "notifications",
    params(("id" = Uuid, Path, description = "The notification")),
    responses((status = 200, description = "As it is now", body = Notification)),
    security(("session" = []), ("token" = ["tasks:write"])),
)]
pub(crate) async fn unread(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    mark(&context, &caller, id, Mark::Unread).await
}

enum Mark {
    Read,
    Unread,
}

async fn mark(context: &Context, caller: &Caller, id: Uuid, mark: Mark) -> Result<Response, Problem> {
    let (action, read_at) = match mark {
        Mark::Read => ("notification.read", Some(OffsetDateTime::now_utc())),
        Mark::Unread => ("notification.unread", None),
    };
    let marked = Write::<Notification>::new(
        caller,
        action,
        StatusCode::OK,
        change!(
            "old as (
                select notifications.* from notifications join ",
            task!(),
            "   where notifications.id = $9 and notifications.user_id = $1
                for update of notifications
             ), new as (
                -- When it was read first is when it was read.
                update notifications set read_at = case when $10::timestamptz is not null then coalesce(old.read_at, $10) end
                from old where notifications.id = old.id
                returning notifications.*
             ), effect as (
                select null::uuid as project, new.id as target, ",
            json!("old", "tasks"),
            " as before, ",
            json!("new", "tasks"),
            " as after from old join new on new.id = old.id join tasks on tasks.id = new.task_id
             )"
        ),
    )
    .bind(id)
    .bind(read_at)
    .run(&context.database)
    .await?;
    marked.map_or(Err(Problem::NoSuch(WORD)), |done| Ok(done.respond_plainly()))
}

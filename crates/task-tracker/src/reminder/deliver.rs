//! Turns the reminders whose moment has come into notifications, each once, by whichever task of the service gets to it first.
//!
//! One statement takes a reminder off and writes the notification, so a process that ends in the middle has done both or
//! neither. Rows that another task is at are left to it; both releases of a blue-green overlap do the same. Should one ever
//! be delivered twice all the same, the second meets `notifications_once`.

use std::time::Duration;

use crate::{database::Database, problem::Problem};

/// Twice as long as a reminder is late on the average.
const PACE: Duration = Duration::from_secs(2);
/// After a failure, which is likely the database's.
const AGAIN: Duration = Duration::from_secs(10);
/// So many in one statement, which has to end within its time limit.
const AT_ONCE: i64 = 500;

/// Never ends by itself.
pub(crate) async fn run(database: Database) {
    loop {
        let pause = match deliver_all(&database).await {
            Ok(()) => PACE,
            // Logged where it was made; the reminders are still there.
            Err(_) => AGAIN,
        };
        tokio::time::sleep(pause).await;
    }
}

async fn deliver_all(database: &Database) -> Result<(), Problem> {
    let mut connection = database.connection().await?;
    loop {
        let taken: i64 = sqlx::query_scalar(DELIVER)
            .bind(AT_ONCE)
            .fetch_one(&mut *connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
        if taken > 0 {
            tracing::info!(reminders = taken, "delivered reminders");
        }
        if taken < AT_ONCE {
            return Ok(());
        }
    }
}

/// The task and the user are locked along with the reminder, as writing the notification would do next: whoever deletes one
/// of them at this moment would be waiting for the reminder.
const DELIVER: &str = "with ripe as materialized (
    select reminders.id, reminders.task_id, reminders.user_id, reminders.fires_at,
           tasks.status <> 'done' and exists (
               select from memberships
               where memberships.project_id = tasks.project_id and memberships.user_id = reminders.user_id) as wanted
    from reminders join tasks on tasks.id = reminders.task_id join users on users.id = reminders.user_id
    where reminders.fires_at <= now()
    order by reminders.fires_at limit $1
    for no key update of reminders skip locked for key share of tasks, users skip locked
 ), told as (
    insert into notifications (id, user_id, task_id, reminder_id, remind_at)
    select gen_random_uuid(), user_id, task_id, id, fires_at from ripe where wanted
    on conflict on constraint notifications_once do nothing
 ), taken as (
    update reminders set fires_at = null, delivered_at = now() from ripe where reminders.id = ripe.id
 )
 select count(*) from ripe";

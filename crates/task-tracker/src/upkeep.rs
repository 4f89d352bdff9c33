//! What has to be cleared away from time to time, by whichever task gets to it first.
//!
//! Each statement is safe to repeat, and holds for one release as for the next: during a blue-green overlap both do it.

use std::time::Duration;

use crate::{database::Database, problem::Problem};

const PACE: Duration = Duration::from_hours(1);
/// After a failure, which is likely the database's, and over soon.
const AGAIN: Duration = Duration::from_mins(5);

/// Any number will do as long as every task takes the same one.
const TURN: i64 = 0x7461_736b_5f75_706b;

/// Never ends by itself. The first turn comes soon after the start: a service that is replaced every half hour must not
/// put it off for ever.
pub(crate) async fn run(database: Database, keep_events: Duration, first: Duration) {
    let mut pause = first;
    loop {
        tokio::time::sleep(pause).await;
        pause = match clear(&database, keep_events).await {
            Ok(()) => PACE,
            Err(_) => AGAIN,
        };
    }
}

/// One turn. Whoever meets another at it leaves it to that one.
pub(crate) async fn clear(database: &Database, keep_events: Duration) -> Result<(), Problem> {
    let mut connection = database.connection().await?;
    for statement in STATEMENTS {
        let cleared = sqlx::query(*statement)
            .bind(TURN)
            .bind(keep_events.as_secs_f64())
            .execute(&mut *connection)
            .await
            .map_err(|cause| Problem::of_database(&cause))?;
        if cleared.rows_affected() > 0 {
            tracing::info!(rows = cleared.rows_affected(), "cleared away what had its time");
        }
    }
    Ok(())
}

/// `$1` is the turn and `$2` how many seconds events are kept. So many rows at a time that no statement runs into its
/// time limit; the rest waits for the next turn.
const STATEMENTS: &[&str] = &[
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8),
     old as (select user_id, operation, key from idempotency_keys, turn
             where got and created_at < now() - interval '1 day' limit 10000)
     delete from idempotency_keys using old
     where idempotency_keys.user_id = old.user_id and idempotency_keys.operation = old.operation
       and idempotency_keys.key = old.key",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8)
     delete from throttles using turn where got and full_at < now()",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8)
     delete from sessions using turn
     where got and (expires_at < now() or last_used_at < now() - interval '14 days')",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8)
     delete from password_resets using turn where got and expires_at < now()",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8)
     delete from invitations using turn where got and expires_at < now() - interval '30 days'",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8),
     old as (select id from webhook_deliveries, turn
             where got and created_at < now() - interval '30 days' limit 10000)
     delete from webhook_deliveries using old where webhook_deliveries.id = old.id",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8)
     update webhooks set previous_secret = null, previous_secret_until = null from turn
     where got and previous_secret_until < now()",
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8),
     old as (select id from notifications, turn where got and created_at < now() - interval '90 days' limit 10000)
     delete from notifications using old where notifications.id = old.id",
    // Those before a due date wait for the date to move.
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8)
     delete from reminders using turn
     where got and at is not null and fires_at is null and delivered_at < now() - interval '90 days'",
    // The trigger lets nobody else through; set_config lasts as long as this statement's own transaction.
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got,
                                       set_config('task_tracker.curating', 'on', true)),
     old as materialized (select id from events, turn
             where got and at < now() - make_interval(secs => $2) order by id limit 10000)
     delete from events using old where events.id = old.id",
    // Webhooks of which the release before did not write down who made them. The trail knows, as long as it is kept.
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8),
     unknown as materialized (
        select webhooks.id, webhooks.project_id from webhooks, turn where got and created_by is null
        order by webhooks.id limit 20 for no key update of webhooks
     ), known as materialized (
        select unknown.id, coalesce(
            (select actor_id from events where events.project_id = unknown.project_id
                 and events.action = 'webhook.created' and events.target_id = unknown.id limit 1),
            '00000000-0000-0000-0000-000000000000') as maker
        from unknown
     ), judged as materialized (
        select known.id, known.maker, webhooks.state = 'active' and maker <> '00000000-0000-0000-0000-000000000000'
            and not exists (select from memberships where memberships.project_id = webhooks.project_id
                                and memberships.user_id = known.maker and memberships.role = 'owner') as orphaned
        from known join webhooks on webhooks.id = known.id
     ), told as (
        insert into events (action, project_id, target_id, before, after)
        select 'webhook.paused', webhooks.project_id, webhooks.id, jsonb_build_object('state', 'active'),
               jsonb_build_object('state', 'paused')
        from judged join webhooks on webhooks.id = judged.id where orphaned
     )
     update webhooks
     set created_by = judged.maker, state = case when orphaned then 'paused' else state end,
         reason = case when orphaned then 'who made it is no owner of the project any more' else reason end,
         version = case when orphaned then version + 1 else version end,
         updated_at = case when orphaned then now() else updated_at end
     from judged where webhooks.id = judged.id",
    // Attachments that the release before announced, and that have no weight yet.
    "with turn as materialized (select pg_try_advisory_xact_lock($1) as got, $2::float8),
     weightless as materialized (
        select attachments.id, attachments.task_id, attachments.size from attachments, turn
        where got and not exists (select from attachment_weights where attachment_id = attachments.id)
        limit 10000 for key share of attachments
     )
     insert into attachment_weights (attachment_id, project_id, size)
     select weightless.id, tasks.project_id, weightless.size from weightless join tasks on tasks.id = weightless.task_id
     on conflict (attachment_id) do nothing",
];

//! What has to be cleared away from time to time, by whichever task gets to it first.
//!
//! Each statement is safe to repeat, and holds for one release as for the next: during a blue-green overlap both do it.

use std::time::{Duration, Instant};

use crate::{database::Database, personal, problem::Problem};

const PACE: Duration = Duration::from_hours(1);
/// After a failure, which is likely the database's, and over soon.
const AGAIN: Duration = Duration::from_mins(5);
/// Rows of one statement. Listeners hear of nothing that happened since the oldest statement began, so it has to be short.
const AT_ONCE: u64 = 5000;

/// Any number will do as long as every task takes the same one.
const TURN: i64 = 0x7461_736b_5f75_706b;

/// Never ends by itself. The first turn comes soon after the start: a service that is replaced every half hour must not
/// put it off for ever.
pub(crate) async fn run(database: Database, keep_events: Duration, first: Duration) {
    let mut pause = first;
    loop {
        tokio::time::sleep(pause).await;
        let cleared = clear(&database, keep_events).await;
        let erased = erase(&database).await;
        pause = if cleared.and(erased).is_ok() { PACE } else { AGAIN };
    }
}

/// Until nothing is left whose time is over. What cannot be cleared away keeps nothing else from it.
async fn clear(database: &Database, keep_events: Duration) -> Result<(), Problem> {
    let mut outcome = Ok(());
    for kind in KINDS {
        let cleared = clear_all(database, kind, keep_events).await;
        outcome = outcome.and(cleared);
    }
    outcome
}

async fn clear_all(database: &Database, kind: &Kind, keep_events: Duration) -> Result<(), Problem> {
    let mut rows = 0;
    loop {
        let begun = Instant::now();
        let cleared = clear_some(database, kind, keep_events).await?;
        rows += cleared;
        if cleared < kind.at_once {
            break;
        }
        // Half of the time is for everybody else.
        tokio::time::sleep(begun.elapsed()).await;
    }
    if rows > 0 {
        tracing::info!(rows, of = kind.table, "cleared away what had its time");
    }
    Ok(())
}

async fn clear_some(database: &Database, kind: &Kind, keep_events: Duration) -> Result<u64, Problem> {
    let mut connection = database.connection().await?;
    let cleared = sqlx::query(kind.sql)
        .bind(TURN)
        .bind(keep_events.as_secs_f64())
        .bind(i64::try_from(kind.at_once).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    Ok(cleared.rows_affected())
}

async fn erase(database: &Database) -> Result<(), Problem> {
    let erased = personal::erase_all(&mut database.clone()).await?;
    if erased > 0 {
        tracing::info!(users = erased, "erased who wanted to be forgotten");
    }
    Ok(())
}

/// Rows that have their time.
struct Kind {
    table: &'static str,
    /// Rows of one statement.
    at_once: u64,
    sql: &'static str,
}

/// Whoever meets another at it leaves it to that one. `$1` is the turn, `$2` how many seconds events are kept, and `$3` how
/// many rows may go; the last two of these not every statement asks for.
macro_rules! turn {
    ($($more:literal)?) => {
        concat!(
            "with turn as materialized (
                select pg_try_advisory_xact_lock($1) as got, $2::float8 as keep, $3::bigint as most"
            $(, ", ", $more)?,
            ")"
        )
    };
}

/// What goes by an index of when it was made is found by it; sessions, tokens, invitations, reminders and webhooks are few
/// enough to look at each.
const KINDS: &[Kind] = &[
    Kind {
        table: "idempotency_keys",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select user_id, operation, key from idempotency_keys, turn
                       where got and created_at < now() - interval '1 day' limit $3)
             delete from idempotency_keys using old
             where idempotency_keys.user_id = old.user_id and idempotency_keys.operation = old.operation
               and idempotency_keys.key = old.key"
        ),
    },
    // Whoever is at one of these uses it, which makes it none that goes.
    Kind {
        table: "throttles",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select key from throttles, turn where got and full_at < now() limit $3
                       for update of throttles skip locked)
             delete from throttles using old where throttles.key = old.key"
        ),
    },
    Kind {
        table: "sessions",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from sessions, turn
                       where got and (expires_at < now() or last_used_at < now() - interval '14 days') limit $3
                       for update of sessions skip locked)
             delete from sessions using old where sessions.id = old.id"
        ),
    },
    Kind {
        table: "password_resets",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select user_id from password_resets, turn where got and expires_at < now() limit $3
                       for update of password_resets skip locked)
             delete from password_resets using old where password_resets.user_id = old.user_id"
        ),
    },
    // Their owner sees for a month what has ended.
    Kind {
        table: "api_tokens",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from api_tokens, turn where got and expires_at < now() - interval '30 days' limit $3)
             delete from api_tokens using old where api_tokens.id = old.id"
        ),
    },
    Kind {
        table: "invitations",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from invitations, turn where got and expires_at < now() - interval '30 days' limit $3)
             delete from invitations using old where invitations.id = old.id"
        ),
    },
    Kind {
        table: "webhook_deliveries",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from webhook_deliveries, turn
                       where got and created_at < now() - interval '30 days' limit $3)
             delete from webhook_deliveries using old where webhook_deliveries.id = old.id"
        ),
    },
    Kind {
        table: "webhooks",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from webhooks, turn where got and previous_secret_until < now() limit $3
                       for update of webhooks skip locked)
             update webhooks set previous_secret = null, previous_secret_until = null from old
             where webhooks.id = old.id"
        ),
    },
    Kind {
        table: "notifications",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from notifications, turn where got and created_at < now() - interval '90 days' limit $3)
             delete from notifications using old where notifications.id = old.id"
        ),
    },
    // Those before a due date wait for the date to move.
    Kind {
        table: "reminders",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", old as (select id from reminders, turn
                       where got and at is not null and fires_at is null
                         and delivered_at < now() - interval '90 days' limit $3
                       for update of reminders skip locked)
             delete from reminders using old where reminders.id = old.id"
        ),
    },
    // The oldest have the lowest ids, so only these are looked at, however many there are (decision 0033). The trigger
    // lets nobody else through; set_config lasts as long as this statement's own transaction.
    Kind {
        table: "events",
        at_once: AT_ONCE,
        sql: concat!(
            turn!("set_config('task_tracker.curating', 'on', true)"),
            ", oldest as materialized (select id, at from events order by id limit $3)
             delete from events using oldest, turn
             where got and events.id = oldest.id and oldest.at < now() - make_interval(secs => keep)"
        ),
    },
    // Those of which the release before did not write down who made them. The trail knows, as long as it is kept; a look into it for
    // each of them is dear.
    Kind {
        table: "webhooks without a maker",
        at_once: 20,
        sql: concat!(
            turn!(),
            ", unknown as materialized (
                select webhooks.id, webhooks.project_id from webhooks, turn where got and created_by is null
                order by webhooks.id limit $3 for no key update of webhooks
             ), known as materialized (
                select unknown.id, coalesce(
                    (select actor_id from events where events.project_id = unknown.project_id
                         and events.action = 'webhook.created' and events.target_id = unknown.id limit 1),
                    '00000000-0000-0000-0000-000000000000') as maker
                from unknown
             ), judged as materialized (
                select known.id, known.maker,
                       webhooks.state = 'active' and maker <> '00000000-0000-0000-0000-000000000000'
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
             from judged where webhooks.id = judged.id"
        ),
    },
    // Those that the release before announced.
    Kind {
        table: "attachments without a weight",
        at_once: AT_ONCE,
        sql: concat!(
            turn!(),
            ", weightless as materialized (
                select attachments.id, attachments.task_id, attachments.size from attachments, turn
                where got and not exists (select from attachment_weights where attachment_id = attachments.id)
                limit $3 for key share of attachments
             )
             insert into attachment_weights (attachment_id, project_id, size)
             select weightless.id, tasks.project_id, weightless.size
             from weightless join tasks on tasks.id = weightless.task_id
             on conflict (attachment_id) do nothing"
        ),
    },
];

//! Writes down how an attempt went, and what follows for the message and for its webhook.
//!
//! Only for whoever still has the lease: a process that was too slow has nothing to say any more.

use crate::{
    database::Database,
    outbox::{claim::Claimed, message::Outcome, pace},
    problem::Problem,
};

/// What follows.
struct Verdict {
    /// Seconds until the next attempt; none for a message that is dead.
    wait: Option<f64>,
    status: Option<i16>,
    error: String,
    /// Why the webhook is disabled at once.
    disable: Option<&'static str>,
    /// Whether it counts against the receiver.
    blame: Blame,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    Receiver,
    Nobody,
}

pub(super) async fn settle(database: &Database, claimed: &Claimed, outcome: &Outcome) -> Result<(), Problem> {
    let wait = pace::wait(claimed.attempts, rand::random()).map(|wait| wait.as_secs_f64());
    let verdict = match outcome {
        Outcome::Taken(status) => return delivered(database, claimed, status.as_u16()).await,
        Outcome::Refused(status) => Verdict {
            wait,
            status: i16::try_from(status.as_u16()).ok(),
            error: if status.is_redirection() {
                format!("answered {}; redirects are not followed", status.as_u16())
            } else {
                format!("answered {}", status.as_u16())
            },
            disable: None,
            blame: Blame::Receiver,
        },
        Outcome::Unwanted => Verdict {
            wait: None,
            status: Some(410),
            error: "answered 410".into(),
            disable: Some("the receiver answered 410 Gone: it wants no more messages"),
            blame: Blame::Receiver,
        },
        Outcome::Unanswered(words) => Verdict {
            wait,
            status: None,
            error: (*words).into(),
            disable: None,
            blame: Blame::Receiver,
        },
        Outcome::Hopeless(words) => Verdict {
            wait: None,
            status: None,
            error: (*words).into(),
            disable: None,
            blame: Blame::Nobody,
        },
        Outcome::OurFault(words) => Verdict {
            wait,
            status: None,
            error: (*words).into(),
            disable: None,
            blame: Blame::Nobody,
        },
    };
    failed(database, claimed, verdict).await
}

async fn delivered(database: &Database, claimed: &Claimed, status: u16) -> Result<(), Problem> {
    let mut connection = database.connection().await?;
    sqlx::query(
        "with settled as (
            update webhook_deliveries
            set state = 'delivered', delivered_at = now(), last_at = now(), last_status = $3, last_error = null, lease = null
            where id = $1 and lease = $2
            returning webhook_id
         )
         update webhooks set failing_since = null, not_before = null
         from settled where webhooks.id = settled.webhook_id and webhooks.failing_since is not null",
    )
    .bind(claimed.id)
    .bind(claimed.lease)
    .bind(i16::try_from(status).unwrap_or_default())
    .execute(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    Ok(())
}

/// After a failure the receiver is left alone for a quarter of the time that it has been failing, 5 s to 15 min, whatever
/// else waits for it. After three days without a single success its webhook is disabled, and the trail says so.
async fn failed(database: &Database, claimed: &Claimed, verdict: Verdict) -> Result<(), Problem> {
    let mut connection = database.connection().await?;
    let disabled: Option<String> = sqlx::query_scalar(
        "with settled as (
            update webhook_deliveries
            set state = case when $3::float8 is null then 'dead' else 'pending' end,
                next_at = now() + make_interval(secs => coalesce($3, 0)),
                last_at = now(), last_status = $4, last_error = $5, lease = null
            where id = $1 and lease = $2
            returning webhook_id
         ), failing as (
            update webhooks
            set failing_since = coalesce(webhooks.failing_since, now()),
                not_before = now() + least(interval '15 minutes', greatest(interval '5 seconds',
                                 (now() - coalesce(webhooks.failing_since, now())) / 4)),
                reason = coalesce($6, case when webhooks.failing_since < now() - interval '3 days'
                                           then 'no message was taken for three days; the last time: ' || $5 end),
                state = case when $6::text is not null or webhooks.failing_since < now() - interval '3 days'
                             then 'disabled' else webhooks.state end,
                version = webhooks.version
                    + (case when $6::text is not null or webhooks.failing_since < now() - interval '3 days' then 1 else 0 end)
            from settled
            where $7 and webhooks.id = settled.webhook_id and webhooks.state = 'active'
            returning webhooks.id, webhooks.project_id, webhooks.state, webhooks.reason
         ), recorded as (
            insert into events (action, project_id, target_id, before, after)
            select 'webhook.disabled', project_id, id, jsonb_build_object('state', 'active'),
                   jsonb_build_object('state', 'disabled', 'reason', reason)
            from failing where state = 'disabled'
         )
         select reason from failing where state = 'disabled'",
    )
    .bind(claimed.id)
    .bind(claimed.lease)
    .bind(verdict.wait)
    .bind(verdict.status)
    .bind(verdict.error)
    .bind(verdict.disable)
    .bind(verdict.blame == Blame::Receiver)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if let Some(reason) = disabled {
        tracing::info!(webhook = %claimed.webhook_id, reason, "a webhook was disabled");
    }
    Ok(())
}

//! Takes messages that are due, so that nobody else does for a while.

use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::activity;

/// Of one receiver at a time: a slow one must not take all places.
const OF_ONE: i64 = 4;
/// Due messages that are looked at; more wait for the next look.
const LOOKED_AT: i64 = 1000;
/// Seconds; well above what an attempt may take.
const LEASE: f64 = 60.0;

/// A message that is ours to send.
pub(super) struct Claimed {
    pub(super) id: Uuid,
    pub(super) webhook_id: Uuid,
    pub(super) lease: Uuid,
    /// This one included.
    pub(super) attempts: i16,
    pub(super) url: String,
    /// Sealed: the present one, and the one before while it still counts.
    pub(super) secret: Vec<u8>,
    pub(super) previous_secret: Option<Vec<u8>>,
    pub(super) content: Content,
}

/// What the message is about.
pub(super) enum Content {
    Ping {
        at: OffsetDateTime,
    },
    Event(Value),
    /// Retention took the event meanwhile.
    Gone,
}

type Row = (
    Uuid,
    Uuid,
    i16,
    String,
    Vec<u8>,
    Option<Vec<u8>>,
    bool,
    OffsetDateTime,
    Option<Value>,
);

/// At most so many. The attempt counts from here, so that a message that kills its process does not live for ever.
pub(super) async fn claim(connection: &mut PgConnection, most: usize) -> Result<Vec<Claimed>, sqlx::Error> {
    let lease = Uuid::new_v4();
    let rows: Vec<Row> = sqlx::query_as(concat!(
        "with ready as (
            select id, next_at, row_number() over (partition by webhook_id order by next_at, number) as place
            from (
                select webhook_deliveries.id, webhook_id, next_at, number from webhook_deliveries
                join webhooks on webhooks.id = webhook_deliveries.webhook_id
                where webhook_deliveries.state = 'pending' and next_at <= now() and webhooks.state = 'active'
                  and (webhooks.not_before is null or webhooks.not_before <= now())
                order by next_at limit $1
            ) as looked_at
         ), due as (
            select webhook_deliveries.id from webhook_deliveries join ready on ready.id = webhook_deliveries.id
            where ready.place <= $2 and webhook_deliveries.state = 'pending' and webhook_deliveries.next_at <= now()
            order by ready.next_at limit $3
            for update of webhook_deliveries skip locked
         ), taken as (
            update webhook_deliveries
            set lease = $4, next_at = now() + make_interval(secs => $5), attempts = attempts + 1
            from due where webhook_deliveries.id = due.id
            returning webhook_deliveries.*
         )
         select taken.id, taken.webhook_id, taken.attempts, webhooks.url, webhooks.secret,
                case when webhooks.previous_secret_until > now() then webhooks.previous_secret end,
                taken.event_id is null, taken.created_at, case when events.id is not null then ",
        activity::json!(),
        " end
         from taken join webhooks on webhooks.id = taken.webhook_id left join events on events.id = taken.event_id
         order by taken.number"
    ))
    .bind(LOOKED_AT)
    .bind(OF_ONE)
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .bind(lease)
    .bind(LEASE)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| claimed(row, lease)).collect())
}

fn claimed(row: Row, lease: Uuid) -> Claimed {
    let (id, webhook_id, attempts, url, secret, previous_secret, is_ping, at, event) = row;
    let content = match event {
        _ if is_ping => Content::Ping { at },
        Some(event) => Content::Event(event),
        None => Content::Gone,
    };
    Claimed {
        id,
        webhook_id,
        lease,
        attempts,
        url,
        secret,
        previous_secret,
        content,
    }
}

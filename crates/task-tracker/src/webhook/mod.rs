//! Webhooks: who is told of what happens in a project. One endpoint per file; what is sent, and when, is `outbox`'s.
//!
//! For owners only: a webhook hands everything in a project to whoever has its address.

mod create;
mod delete;
mod deliveries;
mod get;
mod keys;
mod link;
mod list;
mod ping;
mod redeliver;
mod rotate;
mod settings;
pub(crate) mod signature;
mod update;
mod wanted;

pub(crate) use keys::Keys;
pub use settings::WebhookSettings;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::Caller,
    outbound::{Outbound, Reach},
    problem::Problem,
    project,
    router::Context,
    version::Version,
    write::Versioned,
};

const WORD: &str = "webhook";
/// When this installation has no key to keep secrets with.
const NOT_OFFERED: &str = "there are no webhooks here: whoever runs this service has to give it WEBHOOK_KEYS";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list, create::create))
        .routes(routes!(get::get, update::update, delete::delete))
        .routes(routes!(rotate::rotate))
        .routes(routes!(ping::ping))
        .routes(routes!(deliveries::deliveries))
        .routes(routes!(redeliver::redeliver))
}

/// What it takes to have webhooks.
#[derive(Clone)]
pub(crate) struct Webhooks {
    pub(crate) keys: Keys,
    pub(crate) reach: Reach,
    pub(crate) outbound: Outbound,
}

impl Context {
    fn webhooks(&self) -> Result<&Webhooks, Problem> {
        self.webhooks.as_ref().ok_or(Problem::NotOffered(NOT_OFFERED))
    }
}

/// Whether anything is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WebhookState)]
enum State {
    Active,
    /// An owner stopped it, or who answered for it is no owner any more; `reason` says so then.
    Paused,
    /// It failed for too long; `reason` says how. An owner makes it active again.
    Disabled,
}

/// A webhook, without its secret.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Webhook {
    id: Uuid,
    project_id: Uuid,
    /// Where messages go.
    url: String,
    /// What it is told of, such as `task.created` or `task.*`; everything when empty.
    actions: Vec<String>,
    state: State,
    /// Why it was disabled, or paused by the service.
    reason: Option<String>,
    /// The owner who answers for it: who made it, or made it active last. It is paused when that is no owner any more. Null
    /// when nobody knows. The service before had no such thing.
    #[serde(default)]
    #[schema(required = true)]
    created_by: Option<Uuid>,
    /// Since when every attempt failed.
    #[serde(with = "time::serde::rfc3339::option")]
    failing_since: Option<OffsetDateTime>,
    /// Until then messages carry a second signature, by the secret before.
    #[serde(with = "time::serde::rfc3339::option")]
    previous_secret_until: Option<OffsetDateTime>,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Webhook {
    fn version(&self) -> Version {
        self.version
    }
}

/// A webhook whose secret was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookWithSecret {
    #[serde(flatten)]
    webhook: Webhook,
    /// What its messages are signed with (Standard Webhooks, HMAC-SHA256): shown this once, and null when the request is
    /// repeated under its Idempotency-Key.
    secret: Option<String>,
}

impl Versioned for WebhookWithSecret {
    fn version(&self) -> Version {
        self.webhook.version
    }
}

/// How it stands with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryState)]
enum Standing {
    /// It will be tried, or tried again.
    Pending,
    /// The receiver answered 2xx.
    Delivered,
    /// It was tried ten times over three days, and is not tried again unless somebody asks for it.
    Dead,
}

/// A message to a webhook.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Delivery {
    /// As in the header `webhook-id`; the same at every attempt.
    id: Uuid,
    webhook_id: Uuid,
    /// What happened, such as `task.created`; `ping` for a test.
    action: String,
    state: Standing,
    attempts: i16,
    /// Null when it is not tried again.
    #[serde(with = "time::serde::rfc3339::option")]
    next_attempt_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    last_attempt_at: Option<OffsetDateTime>,
    /// The status of the receiver's last answer; null when there was none.
    last_status: Option<i16>,
    /// What was wrong the last time.
    last_error: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    delivered_at: Option<OffsetDateTime>,
}

/// A `Webhook` out of a row of webhooks.
macro_rules! json {
    ($webhook:literal) => {
        crate::row::object!(
            $webhook,
            id,
            project_id,
            url,
            actions,
            state,
            reason,
            created_by = concat!(
                "nullif(",
                $webhook,
                ".created_by, '00000000-0000-0000-0000-000000000000')"
            ),
            failing_since,
            previous_secret_until = concat!(
                "case when ",
                $webhook,
                ".previous_secret_until > now() then ",
                $webhook,
                ".previous_secret_until end"
            ),
            version,
            created_at,
            updated_at
        )
    };
}
use json;

/// A `Delivery` out of a row of `webhook_deliveries`.
macro_rules! delivery {
    ($delivery:literal) => {
        crate::row::object!(
            $delivery,
            id,
            webhook_id,
            action,
            state,
            attempts,
            next_attempt_at = concat!(
                "case when ",
                $delivery,
                ".state = 'pending' then ",
                $delivery,
                ".next_at end"
            ),
            last_attempt_at = concat!($delivery, ".last_at"),
            last_status,
            last_error,
            created_at,
            delivered_at
        )
    };
}
use delivery;

/// What a refused change did not find, or the version there is.
async fn refusal(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Problem {
    match own(connection, caller, id).await {
        Ok(current) => Problem::Stale { current },
        Err(problem) => problem,
    }
}

/// The version of a webhook of a project that is the caller's own.
async fn own(connection: &mut PgConnection, caller: &Caller, id: Uuid) -> Result<Version, Problem> {
    let found: Option<(i64, Uuid)> = sqlx::query_as(
        "select webhooks.version, webhooks.project_id from webhooks
         join memberships on memberships.project_id = webhooks.project_id
         where webhooks.id = $1 and memberships.user_id = $2",
    )
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let (version, project_id) = found.ok_or(Problem::NoSuch(WORD))?;
    project::require_owner(connection, caller, project_id).await?;
    Ok(Version::from(version))
}

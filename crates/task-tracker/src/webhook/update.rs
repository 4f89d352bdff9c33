use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    access::Caller,
    effect::changed,
    extract::{Body, Id, present},
    problem::Problem,
    router::Context,
    version::IfMatch,
    webhook::{Webhook, json, link::Link, own, refusal, wanted::Wanted},
    write::{self, Write, change},
};

/// Whether anything is to be sent.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = WantedWebhookState)]
enum WantedState {
    Active,
    Paused,
}

/// What to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookChange, min_properties = 1)]
pub(crate) struct Change {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    url: Option<Link>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    actions: Option<Wanted>,
    /// What was not sent in the meantime is sent when it is active again, as far as it is still kept.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    state: Option<WantedState>,
}

/// Change a webhook
///
/// For owners. Events that happen while it is paused or disabled are not sent later; messages that were waiting are. Who makes it
/// active answers for it from then on.
#[utoipa::path(
    patch, path = "/api/v1/webhooks/{id}", operation_id = "update_webhook", tag = "webhooks",
    params(
        ("id" = Uuid, Path, description = "The webhook"),
        ("if-match" = String, Header, description = "Its ETag: the webhook's version in double quotes"),
    ),
    request_body = Change,
    responses((status = 200, description = "As it is now", body = Webhook)),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    let webhooks = context.webhooks()?;
    if change.url.is_none() && change.actions.is_none() && change.state.is_none() {
        return Err(Problem::no_field());
    }
    // The name may lead elsewhere since the request that this may be a repetition of.
    if let Some(done) = write::before::<Webhook>(&caller, &context.database).await? {
        return Ok(done.respond());
    }
    let url = match &change.url {
        Some(link) => {
            let mut connection = context.database.connection().await?;
            own(&mut connection, &caller, id).await?;
            drop(connection);
            Some(link.followed(webhooks).await?)
        }
        None => None,
    };
    let state = change.state.map(|state| match state {
        WantedState::Active => "active",
        WantedState::Paused => "paused",
    });
    let changed = Write::<Webhook>::new(
        &caller,
        "webhook.changed",
        StatusCode::OK,
        change!(
            "old as (
                select webhooks.* from webhooks join memberships on memberships.project_id = webhooks.project_id
                where webhooks.id = $9 and memberships.user_id = $1 and memberships.role = 'owner'
                  and ($10::bigint[] is null or webhooks.version = any($10))
                for update of webhooks
             ), new as (
                update webhooks
                set url = coalesce($11, webhooks.url), actions = coalesce($12, webhooks.actions),
                    state = coalesce($13, webhooks.state),
                    created_by = case when $13 = 'active' then $1 else webhooks.created_by end,
                    reason = case when $13::text is null then webhooks.reason end,
                    failing_since = case when $11::text is null and $13::text is null then webhooks.failing_since end,
                    not_before = case when $11::text is null and $13::text is null then webhooks.not_before end,
                    version = webhooks.version + 1, updated_at = now()
                from old where webhooks.id = old.id
                returning webhooks.*
             )",
            changed!("new.project_id", json!("old"), json!("new"))
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .bind(url)
    .bind(change.actions.map(Vec::<String>::from))
    .bind(state)
    .run(&context.database)
    .await?;
    match changed {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id).await),
    }
}

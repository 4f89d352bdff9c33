use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::changed,
    extract::Id,
    problem::Problem,
    router::Context,
    webhook::{WORD, Webhook, WebhookWithSecret, json, own, signature::SigningSecret},
    write::{When, Write, change},
};

/// Give a webhook a new secret
///
/// For owners. For a day messages carry two signatures, by the new secret and by the one before, so that a receiver can
/// change over without losing any; of three secrets the oldest is forgotten.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/secret", operation_id = "rotate_webhook_secret", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The webhook")),
    responses((status = 200, description = "With its new secret", body = WebhookWithSecret)),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn rotate(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    let webhooks = context.webhooks()?;
    let secret = SigningSecret::new().ok_or(Problem::Internal)?;
    let sealed = webhooks.keys.seal(id, &secret).ok_or(Problem::Internal)?;
    let rotated = Write::<Webhook>::new(
        &caller,
        "webhook.secret_rotated",
        StatusCode::OK,
        change!(
            "old as (
                select webhooks.* from webhooks join memberships on memberships.project_id = webhooks.project_id
                where webhooks.id = $9 and memberships.user_id = $1 and memberships.role = 'owner'
                for update of webhooks
             ), new as (
                update webhooks
                set secret = $10, previous_secret = old.secret, previous_secret_until = now() + interval '1 day',
                    version = webhooks.version + 1, updated_at = now()
                from old where webhooks.id = old.id
                returning webhooks.*
             )",
            changed!("new.project_id", json!("old"), json!("new"))
        ),
    )
    .bind(id)
    .bind(sealed)
    .run(&context.database)
    .await?;
    let Some(rotated) = rotated else {
        own(&mut *context.database.connection().await?, &caller, id).await?;
        // Deleted between the two looks.
        return Err(Problem::NoSuch(WORD));
    };
    let secret = match rotated.when {
        When::Now => Some(secret.expose()),
        When::Before => None,
    };
    Ok(rotated.map(|webhook| WebhookWithSecret { webhook, secret }).respond())
}

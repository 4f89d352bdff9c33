use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    effect::made,
    extract::{Body, Id},
    problem::Problem,
    project,
    router::Context,
    webhook::{Webhook, WebhookWithSecret, json, link::Link, signature::SigningSecret, wanted::Wanted},
    write::{self, Done, Failed, When, Write, change},
};

/// More than this is no longer integration.
const MOST: i64 = 20;

/// A new webhook.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWebhook {
    url: Link,
    /// What to tell it of, such as `task.created` or `task.*`; everything when left out.
    #[serde(default)]
    actions: Wanted,
}

/// Make a webhook
///
/// For owners. From now on each event of the project is posted to the URL, at least once and in no particular order,
/// signed as Standard Webhooks has it; until who made it is no owner any more.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/webhooks", operation_id = "create_webhook", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewWebhook,
    responses(
        (status = 201, description = "Made", body = WebhookWithSecret),
        (status = 409, description = "There are too many already"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Body(new): Body<NewWebhook>,
) -> Result<Response, Problem> {
    let webhooks = context.webhooks()?;
    // The name may lead elsewhere since the request that this may be a repetition of.
    if let Some(done) = write::before::<Webhook>(&caller, &context.database).await? {
        return Ok(answer(done, None));
    }
    let mut connection = context.database.connection().await?;
    // Before the name is looked up: whoever may not have a webhook has no use for the answer.
    project::require_owner(&mut connection, &caller, project_id).await?;
    drop(connection);
    let url = new.url.followed(webhooks).await?;
    let id = Uuid::now_v7();
    let secret = SigningSecret::new().ok_or(Problem::Internal)?;
    let sealed = webhooks.keys.seal(id, &secret).ok_or(Problem::Internal)?;
    let made = Write::<Webhook>::new(
        &caller,
        "webhook.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into webhooks (id, project_id, url, actions, secret, created_by)
                select $9, memberships.project_id, $11, $12, $13, $1 from memberships
                where memberships.project_id = $10 and memberships.user_id = $1 and memberships.role = 'owner'
                  and (select count(*) from webhooks where webhooks.project_id = $10) < $14
                returning *
             )",
            made!("project_id", json!("made"))
        ),
    )
    .bind(id)
    .bind(project_id)
    .bind(url)
    .bind(Vec::<String>::from(new.actions))
    .bind(sealed)
    .bind(MOST)
    .run(&context.database)
    .await;
    let made = match made {
        Ok(made) => made,
        // The project went away meanwhile.
        Err(Failed::Constraint(constraint)) if constraint == "webhooks_project_id_fkey" => None,
        Err(failed) => return Err(failed.into()),
    };
    let Some(made) = made else {
        project::require_owner(&mut *context.database.connection().await?, &caller, project_id).await?;
        return Err(Problem::Conflict("there are 20 webhooks already; delete one first"));
    };
    let secret = match made.when {
        When::Now => Some(secret.expose()),
        When::Before => None,
    };
    Ok(answer(made, secret))
}

fn answer(made: Done<Webhook>, secret: Option<String>) -> Response {
    let made = made.map(|webhook| WebhookWithSecret { webhook, secret });
    made.respond_at(|made| format!("/api/v1/webhooks/{}", made.webhook.id))
}

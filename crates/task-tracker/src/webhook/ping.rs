use axum::{extract::State, http::StatusCode, response::Response};
use uuid::Uuid;

use crate::{
    access::Caller,
    extract::Id,
    problem::Problem,
    router::Context,
    webhook::{Delivery, delivery, own},
    write::{Write, change},
};

/// Send a webhook a test message
///
/// For owners. Its type is `ping`; how it went is in the list of deliveries.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/ping", operation_id = "ping_webhook", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The webhook")),
    responses(
        (status = 202, description = "It will be sent", body = Delivery),
        (status = 409, description = "It is not active, or a test message is still on its way"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn ping(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    context.webhooks()?;
    let sent = Write::<Delivery>::new(
        &caller,
        "webhook.pinged",
        StatusCode::ACCEPTED,
        change!(
            // One at a time: this must not become a way to have somebody else's server called in a loop.
            "of as (
                update webhooks set not_before = null from memberships
                where webhooks.id = $9 and webhooks.state = 'active' and memberships.project_id = webhooks.project_id
                  and memberships.user_id = $1 and memberships.role = 'owner'
                  and not exists (select from webhook_deliveries where webhook_id = $9 and action = 'ping'
                                                                   and state = 'pending')
                returning webhooks.id, webhooks.project_id
             ), made as (
                insert into webhook_deliveries (id, webhook_id, action) select $10, of.id, 'ping' from of returning *
             ), effect as (
                select of.project_id as project, of.id as target, null::jsonb as before, ",
            delivery!("made"),
            " as after from made cross join of
             )"
        ),
    )
    .bind(id)
    .bind(Uuid::new_v4())
    .run(&context.database)
    .await?;
    if let Some(done) = sent {
        return Ok(done.respond_plainly());
    }
    own(&mut *context.database.connection().await?, &caller, id).await?;
    Err(Problem::Conflict(
        "the webhook is not active, or its last test message is still on its way",
    ))
}

use axum::{extract::State, http::StatusCode, response::Response};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    access::Caller,
    extract::Ids,
    problem::Problem,
    router::Context,
    webhook::{Delivery, delivery, own},
    write::{Write, change},
};

/// Send a message to a webhook again
///
/// For owners. Now, whatever became of it before, and as often as a new one; it keeps its id, by which a receiver knows
/// what it has.
#[utoipa::path(
    post, path = "/api/v1/webhooks/{id}/deliveries/{delivery_id}/redelivery", operation_id = "redeliver", tag = "webhooks",
    params(
        ("id" = Uuid, Path, description = "The webhook"),
        ("delivery_id" = Uuid, Path, description = "The message"),
    ),
    responses(
        (status = 202, description = "It will be sent", body = Delivery),
        (status = 409, description = "The webhook is not active, or the message is being sent"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn redeliver(
    State(context): State<Context>,
    caller: Caller,
    Ids(webhook_id, id): Ids,
) -> Result<Response, Problem> {
    context.webhooks()?;
    let sent = Write::<Delivery>::new(
        &caller,
        "webhook.redelivered",
        StatusCode::ACCEPTED,
        change!(
            "of as (
                select webhooks.id, webhooks.project_id from webhooks
                join memberships on memberships.project_id = webhooks.project_id
                where webhooks.id = $9 and webhooks.state = 'active'
                  and memberships.user_id = $1 and memberships.role = 'owner'
             ), old as (
                select webhook_deliveries.* from webhook_deliveries join of on of.id = webhook_deliveries.webhook_id
                where webhook_deliveries.id = $10 and webhook_deliveries.lease is null
                for update of webhook_deliveries
             ), new as (
                update webhook_deliveries
                set state = 'pending', attempts = 0, next_at = now(), delivered_at = null
                from old where webhook_deliveries.id = old.id
                returning webhook_deliveries.*
             ), hastened as (
                update webhooks set not_before = null from new where webhooks.id = new.webhook_id
             ), effect as (
                select of.project_id as project, of.id as target, ",
            delivery!("old"),
            " as before, ",
            delivery!("new"),
            " as after from of cross join old join new on new.id = old.id
             )"
        ),
    )
    .bind(webhook_id)
    .bind(id)
    .run(&context.database)
    .await?;
    match sent {
        Some(done) => Ok(done.respond_plainly()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, webhook_id, id).await),
    }
}

async fn refusal(connection: &mut PgConnection, caller: &Caller, webhook_id: Uuid, id: Uuid) -> Problem {
    if let Err(problem) = own(connection, caller, webhook_id).await {
        return problem;
    }
    let found: Result<bool, sqlx::Error> =
        sqlx::query_scalar("select exists (select from webhook_deliveries where id = $1 and webhook_id = $2)")
            .bind(id)
            .bind(webhook_id)
            .fetch_one(connection)
            .await;
    match found {
        Ok(true) => Problem::Conflict("the webhook is not active, or the message is being sent at this moment"),
        Ok(false) => Problem::NoSuch("delivery"),
        Err(cause) => Problem::of_database(&cause),
    }
}

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    effect::gone,
    extract::Id,
    problem::Problem,
    router::Context,
    version::IfMatch,
    webhook::{Webhook, json, refusal},
    write::{Write, change},
};

/// Delete a webhook
///
/// For owners. Messages that were waiting are not sent.
#[utoipa::path(
    delete, path = "/api/v1/webhooks/{id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The webhook"), ("if-match" = String, Header, description = "Its ETag")),
    responses((status = 204, description = "Deleted")),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn delete(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    context.webhooks()?;
    let deleted = Write::<Webhook>::new(
        &caller,
        "webhook.deleted",
        StatusCode::NO_CONTENT,
        change!(
            "gone as (
                delete from webhooks using memberships
                where webhooks.id = $9 and memberships.project_id = webhooks.project_id
                  and memberships.user_id = $1 and memberships.role = 'owner'
                  and ($10::bigint[] is null or webhooks.version = any($10))
                returning webhooks.*
             )",
            gone!("project_id", json!("gone"))
        ),
    )
    .bind(id)
    .bind(if_match.versions())
    .run(&context.database)
    .await?;
    match deleted {
        Some(done) => Ok(done.respond()),
        None => Err(refusal(&mut *context.database.connection().await?, &caller, id).await),
    }
}

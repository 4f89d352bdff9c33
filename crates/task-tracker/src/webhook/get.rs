use axum::{extract::State, http::StatusCode, response::Response};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::Id,
    problem::Problem,
    router::Context,
    version::Version,
    webhook::{WORD, Webhook, json, own},
    write::Versioned,
};

/// Get a webhook
///
/// For owners.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}", operation_id = "get_webhook", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The webhook")),
    responses((status = 200, description = "It", body = Webhook)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn get(State(context): State<Context>, caller: Caller, Id(id): Id) -> Result<Response, Problem> {
    context.webhooks()?;
    let mut connection = context.database.connection().await?;
    let found: Option<Row<Webhook>> = sqlx::query_scalar(concat!(
        "select ",
        json!("webhooks"),
        " from webhooks join memberships on memberships.project_id = webhooks.project_id
         where webhooks.id = $1 and memberships.user_id = $2 and memberships.role = 'owner'"
    ))
    .bind(id)
    .bind(caller.user)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if let Some(Row(webhook)) = found {
        let version: Version = webhook.version();
        return Ok(version.respond(StatusCode::OK, webhook));
    }
    own(&mut connection, &caller, id).await?;
    // Taken from the caller between the two looks.
    Err(Problem::NoSuch(WORD))
}

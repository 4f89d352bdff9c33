use axum::{Json, extract::State};
use serde::Deserialize;
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    extract::{Id, Params},
    page::{self, Page, Which},
    problem::Problem,
    router::Context,
    webhook::{Delivery, delivery, own},
};

/// A row, and its place in the order in which messages were made.
#[derive(Deserialize)]
struct Placed {
    number: i64,
    delivery: Delivery,
}

/// List the messages to a webhook
///
/// For owners. The latest first; they are kept for 30 days.
#[utoipa::path(
    get, path = "/api/v1/webhooks/{id}/deliveries", operation_id = "list_deliveries", tag = "webhooks",
    params(("id" = Uuid, Path, description = "The webhook"), Which),
    responses((status = 200, description = "A page of them", body = Page<Delivery>)),
    security(("session" = []), ("token" = ["projects:read"])),
)]
pub(crate) async fn deliveries(
    State(context): State<Context>,
    caller: Caller,
    Id(id): Id,
    Params(which): Params<Which>,
) -> Result<Json<Page<Delivery>>, Problem> {
    context.webhooks()?;
    let list = format!("deliveries/{id}");
    let before: Option<i64> = page::behind(which.cursor.as_deref(), &list)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Placed>> = sqlx::query_scalar(concat!(
        "select jsonb_build_object('number', webhook_deliveries.number, 'delivery', ",
        delivery!("webhook_deliveries"),
        ") from webhook_deliveries
         where webhook_id = $1 and number < $2
           and exists (select from webhooks join memberships on memberships.project_id = webhooks.project_id
                       where webhooks.id = $1 and memberships.user_id = $4 and memberships.role = 'owner')
         order by number desc limit $3"
    ))
    .bind(id)
    .bind(before.unwrap_or(i64::MAX))
    .bind(which.limit.and_one())
    .bind(caller.user)
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    if rows.is_empty() {
        own(&mut connection, &caller, id).await?;
    }
    let rows = rows.into_iter().map(|row| row.0).collect();
    let page = Page::cut(rows, which.limit, &list, |placed: &Placed| placed.number);
    Ok(Json(page.map(|placed| placed.delivery)))
}

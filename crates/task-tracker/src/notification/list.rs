use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use sqlx::types::Json as Row;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    access::Caller,
    extract::Params,
    notification::{Notification, json, task},
    page::{self, Limit, Page},
    problem::Problem,
    router::Context,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    /// How many at most.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 100, default = 50)]
    limit: Limit,
    /// From the page before.
    cursor: Option<String>,
    /// Only those that were read, or that were not.
    read: Option<bool>,
}

/// Where a page ends: the latest come first.
#[derive(Serialize, Deserialize)]
struct Place {
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    id: Uuid,
}

/// List one's notifications
///
/// The latest first.
#[utoipa::path(
    get, path = "/api/v1/notifications", operation_id = "list_notifications", tag = "notifications",
    params(Which),
    responses((status = 200, description = "A page of them", body = Page<Notification>)),
    security(("session" = []), ("token" = ["tasks:read"])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Params(which): Params<Which>,
) -> Result<Json<Page<Notification>>, Problem> {
    let list = match which.read {
        None => "notifications",
        Some(true) => "notifications/read",
        Some(false) => "notifications/unread",
    };
    let before: Option<Place> = page::behind(which.cursor.as_deref(), list)?;
    let (at, id) = before.map(|place| (place.at, place.id)).unzip();
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Notification>> = sqlx::query_scalar(concat!(
        "select ",
        json!("notifications", "tasks"),
        " from notifications join ",
        task!(),
        " where notifications.user_id = $1
            and ($2::timestamptz is null or (notifications.created_at, notifications.id) < ($2, $3::uuid))
            and ($4::bool is null or (notifications.read_at is not null) = $4)
          order by notifications.created_at desc, notifications.id desc limit $5"
    ))
    .bind(caller.user)
    .bind(at)
    .bind(id)
    .bind(which.read)
    .bind(which.limit.and_one())
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(
        rows,
        which.limit,
        list,
        |notification: &Notification| Place {
            at: notification.created_at,
            id: notification.id,
        },
    )))
}

use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::Caller,
    api_token::{ApiToken, json},
    extract::Params,
    page::{self, Page, Which},
    problem::Problem,
    router::Context,
};

const LIST: &str = "tokens";

/// List one's API tokens
///
/// Those that have expired included, until they are revoked.
#[utoipa::path(
    get, path = "/api/v1/tokens", operation_id = "list_tokens", tag = "tokens",
    params(Which),
    responses((status = 200, description = "A page of them", body = Page<ApiToken>)),
    security(("session" = [])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Params(which): Params<Which>,
) -> Result<Json<Page<ApiToken>>, Problem> {
    let after = page::start(which.cursor.as_deref(), LIST)?;
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<ApiToken>> = sqlx::query_scalar(concat!(
        "select ",
        json!("api_tokens"),
        " from api_tokens where user_id = $1 and id > $2 order by id limit $3"
    ))
    .bind(caller.user)
    .bind(after)
    .bind(which.limit.and_one())
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, LIST, |token: &ApiToken| token.id)))
}

use axum::{Json, extract::State};
use sqlx::types::Json as Row;

use crate::{
    access::{Caller, Via},
    extract::Params,
    page::{self, Page, Which},
    problem::Problem,
    router::Context,
    session::Session,
};

const LIST: &str = "sessions";

/// List one's sessions
#[utoipa::path(
    get, path = "/api/v1/sessions", operation_id = "list_sessions", tag = "sessions",
    params(Which),
    responses((status = 200, description = "A page of them", body = Page<Session>)),
    security(("session" = [])),
)]
pub(crate) async fn list(
    State(context): State<Context>,
    caller: Caller,
    Params(which): Params<Which>,
) -> Result<Json<Page<Session>>, Problem> {
    let after = page::start(which.cursor.as_deref(), LIST)?;
    let current = match caller.via {
        Via::Session(id) => Some(id),
        Via::Token(_) => None,
    };
    let mut connection = context.database.connection().await?;
    let rows: Vec<Row<Session>> = sqlx::query_scalar(
        "select jsonb_build_object('id', id, 'user_agent', user_agent, 'current', id is not distinct from $2,
                                   'created_at', created_at, 'last_used_at', last_used_at, 'expires_at', expires_at)
         from sessions where user_id = $1 and id > $3 and expires_at > now() order by id limit $4",
    )
    .bind(caller.user)
    .bind(current)
    .bind(after)
    .bind(which.limit.and_one())
    .fetch_all(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let rows = rows.into_iter().map(|row| row.0).collect();
    Ok(Json(Page::cut(rows, which.limit, LIST, |session: &Session| session.id)))
}

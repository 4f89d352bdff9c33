use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use sqlx::{PgConnection, types::Json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::Caller,
    account::{User, json},
    effect::changed,
    extract::Body,
    problem::Problem,
    router::Context,
    row::object,
    text::Name,
    version::{IfMatch, IfNoneMatch},
    write::{Write, change},
};

/// What to change.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountChange)]
pub(crate) struct Change {
    name: Name,
}

/// See one's account
#[utoipa::path(
    get, path = "/api/v1/me", operation_id = "get_me", tag = "accounts",
    params(("if-none-match" = Option<String>, Header, description = "The ETag of what is known already")),
    responses((status = 200, description = "The account", body = User)),
    security(("session" = [])),
)]
pub(crate) async fn get(
    State(context): State<Context>,
    caller: Caller,
    known: IfNoneMatch,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    let user = read(&mut connection, caller.user).await?;
    Ok(known.respond(user))
}

/// Change one's account
#[utoipa::path(
    patch, path = "/api/v1/me", operation_id = "update_me", tag = "accounts",
    params(("if-match" = String, Header, description = "Its ETag")),
    request_body = Change,
    responses((status = 200, description = "As it is now", body = User)),
    security(("session" = [])),
)]
pub(crate) async fn update(
    State(context): State<Context>,
    caller: Caller,
    if_match: IfMatch,
    Body(change): Body<Change>,
) -> Result<Response, Problem> {
    // What is recorded and kept has no e-mail address, so the answer is read anew.
    let changed = Write::<serde_json::Value>::new(
        &caller,
        "account.changed",
        StatusCode::OK,
        change!(
            "old as (
                select * from users where id = $1 and ($9::bigint[] is null or version = any($9)) for update
             ), new as (
                update users set name = $10, version = users.version + 1, updated_at = now()
                from old where users.id = old.id returning users.*
             )",
            changed!("null::uuid", object!("old", name), object!("new", name))
        ),
    )
    .bind(if_match.versions())
    .bind(String::from(change.name))
    .run(&context.database)
    .await?;
    let user = read(&mut *context.database.connection().await?, caller.user).await?;
    match changed {
        Some(_) => Ok(user.version.respond(StatusCode::OK, user)),
        None => Err(Problem::Stale { current: user.version }),
    }
}

async fn read(connection: &mut PgConnection, id: Uuid) -> Result<User, Problem> {
    let user: Option<Json<User>> = sqlx::query_scalar(concat!("select ", json!("users"), " from users where id = $1"))
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    user.map(|user| user.0).ok_or(Problem::Unauthenticated)
}

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    access::{
        Caller, cookie,
        password::{Password, Verdict},
        throttle::Limit,
    },
    account::limits,
    extract::Body,
    problem::Problem,
    router::Context,
};

/// To be sure that it is the user who wants it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Farewell {
    password: Password,
}

/// When the account will be gone.
#[derive(Serialize, ToSchema)]
pub(crate) struct Leaving {
    #[serde(with = "time::serde::rfc3339")]
    erase_after: OffsetDateTime,
}

/// Have one's account erased
///
/// At once nobody can use it any more; after 30 days it and what is personal in it is erased, unless `restore_account` takes
/// that back before. Projects without another member go with it.
#[utoipa::path(
    post, path = "/api/v1/me/erasure", operation_id = "leave", tag = "accounts",
    request_body = Farewell,
    responses((status = 202, description = "It will be erased", body = Leaving)),
    security(("session" = [])),
)]
pub(crate) async fn leave(
    State(context): State<Context>,
    caller: Caller,
    Body(farewell): Body<Farewell>,
) -> Result<Response, Problem> {
    let mut connection = context.database.connection().await?;
    Limit::charge(&limits::of_password_change(caller.user), &mut connection).await?;
    let kept: Option<String> = sqlx::query_scalar("select password_hash from users where id = $1")
        .bind(caller.user)
        .fetch_optional(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    // A hash takes its time; the connection is for others meanwhile.
    drop(connection);
    if context.passwords.verify(farewell.password, kept).await? == Verdict::Wrong {
        return Err(Problem::Forbidden("the password is another"));
    }
    let mut connection = context.database.connection().await?;
    let leaving: Option<OffsetDateTime> = sqlx::query_scalar(
        "with leaving as (
            update users set erase_after = now() + interval '30 days', version = version + 1, updated_at = now()
            where id = $1 and erase_after is null returning id, erase_after
         ), ended as (
            delete from sessions using leaving where sessions.user_id = leaving.id
         ), revoked as (
            delete from api_tokens using leaving where api_tokens.user_id = leaving.id
         ), recorded as (
            insert into events (actor_id, action, target_id, request_id)
            select id, 'account.leaving', id, $2 from leaving
         )
         select erase_after from leaving",
    )
    .bind(caller.user)
    .bind(&caller.request_id)
    .fetch_optional(&mut *connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))?;
    let erase_after = leaving.ok_or(Problem::Unauthenticated)?;
    let headers = [(header::SET_COOKIE, cookie::END)];
    Ok((StatusCode::ACCEPTED, headers, Json(Leaving { erase_after })).into_response())
}

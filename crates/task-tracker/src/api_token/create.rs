use std::collections::BTreeSet;

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        Caller, Scope,
        secret::{API_TOKEN, Secret},
    },
    api_token::{ApiToken, json},
    effect::made,
    extract::{Body, Days},
    problem::Problem,
    router::Context,
    text::Name,
    write::{When, Write, change},
};

/// More than anybody can keep an eye on.
const MOST: i64 = 100;

/// A new token.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewApiToken {
    /// What it is for.
    name: Name,
    #[schema(value_type = Vec<Scope>, min_items = 1)]
    scopes: BTreeSet<Scope>,
    /// Days until it ends.
    #[schema(value_type = u16, minimum = 1, maximum = 365)]
    expires_in_days: Days<365>,
}

/// A token that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeApiToken {
    #[serde(flatten)]
    made: ApiToken,
    /// The token itself: shown this once, and null when the request is repeated under its Idempotency-Key.
    token: Option<String>,
}

/// Make an API token
#[utoipa::path(
    post, path = "/api/v1/tokens", operation_id = "create_token", tag = "tokens",
    request_body = NewApiToken,
    responses(
        (status = 201, description = "Made", body = MadeApiToken),
        (status = 409, description = "There are too many already"),
    ),
    security(("session" = [])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Body(new): Body<NewApiToken>,
) -> Result<Response, Problem> {
    if new.scopes.is_empty() {
        return Err(Problem::Invalid {
            detail: "name at least one scope".into(),
        });
    }
    let secret = Secret::new(API_TOKEN)?;
    let made = Write::<ApiToken>::new(
        &caller,
        "token.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into api_tokens (id, user_id, name, scopes, token_sha256, expires_at)
                select $9, $1, $10, $11, $12, now() + make_interval(days => $13)
                where (select count(*) from api_tokens where user_id = $1) < $14
                returning *
             )",
            made!("null::uuid", json!("made"))
        ),
    )
    .bind(Uuid::now_v7())
    .bind(String::from(new.name))
    .bind(new.scopes.into_iter().map(Scope::as_str).collect::<Vec<_>>())
    .bind(secret.fingerprint().as_bytes().to_vec())
    .bind(new.expires_in_days.count())
    .bind(MOST)
    .run(&context.database)
    .await?
    .ok_or(Problem::Conflict("there are 100 API tokens already; revoke one first"))?;
    let token = match made.when {
        When::Now => Some(secret.expose().to_owned()),
        When::Before => None,
    };
    Ok(made.map(|made| MadeApiToken { made, token }).respond_plainly())
}

//! The API's description in OpenAPI 3.1, collected from the endpoints, and where clients find it.
//!
//! Each endpoint says what is its own: parameters, body, answers, credentials. What follows from these for every
//! operation alike, above all the problems it may answer with, is added here. Never says what is not enforced: `access`
//! takes its policy from the same document.

mod complete;
mod markdown;
mod page;

pub use markdown::markdown;

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    response::IntoResponse,
    routing::get,
};
use serde_json::Value;
use utoipa::{OpenApi as _, openapi::OpenApi};
use utoipa_axum::router::OpenApiRouter;

use crate::{
    account, activity, api_token, attachment, comment, invitation, label, member, notification, problem, project,
    reminder, router::Context, saved_filter, session, task, transfer, webhook,
};

#[derive(utoipa::OpenApi)]
#[openapi(components(schemas(problem::Details)))]
struct Shared;

/// The routes of the API, and their description as far as they give it themselves.
pub(crate) fn operations() -> (Router<Context>, OpenApi) {
    OpenApiRouter::with_openapi(Shared::openapi())
        .merge(account::routes())
        .merge(session::routes())
        .merge(api_token::routes())
        .merge(project::routes())
        .merge(member::routes())
        .merge(invitation::routes())
        .merge(task::routes())
        .merge(label::routes())
        .merge(comment::routes())
        .merge(attachment::routes())
        .merge(webhook::routes())
        .merge(saved_filter::routes())
        .merge(reminder::routes())
        .merge(notification::routes())
        .merge(activity::routes())
        .merge(transfer::routes())
        .split_for_parts()
}

/// The whole description, as `/api/openapi.json` gives it.
pub fn document() -> Value {
    let (_, collected) = operations();
    complete::document(&collected)
}

/// The description for programs, and for people.
pub(crate) fn pages(collected: &OpenApi) -> Router<Context> {
    let document = complete::document(collected);
    let json = Bytes::from(document.to_string());
    let html = Bytes::from(page::html(&document));
    let style = Bytes::from_static(page::STYLE.as_bytes());
    Router::new()
        .route("/api/openapi.json", get(async move || fixed("application/json", json)))
        .route("/api/docs", get(async move || fixed("text/html; charset=utf-8", html)))
        .route(
            "/api/docs.css",
            get(async move || fixed("text/css; charset=utf-8", style)),
        )
}

/// Nothing on these pages comes from anywhere else, or can be framed.
fn fixed(kind: &'static str, text: Bytes) -> impl IntoResponse {
    let policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (
        headers.map(|(name, value)| (name, HeaderValue::from_static(value))),
        text,
    )
}

//! Projects and tasks as files: out of the service and into it.
//!
//! JSON holds a whole project and makes a new one; CSV holds tasks and puts them into a project that is there. What goes out
//! is written page by page, whatever its size; what comes in is checked whole before anything is written, and written by one
//! statement. Nobody is made to say or to do anything by a file: of others' comments the words stay, and not the name.

mod cell;
mod document;
mod export_csv;
mod export_json;
mod import_csv;
mod import_json;
mod outflow;
mod rows;

use axum::{
    http::{HeaderMap, header},
    response::Response,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    access::{
        Caller,
        throttle::{self, Allowance},
    },
    problem::Problem,
    router::Context,
};

/// Tasks in one import.
const MOST_TASKS: usize = 5000;
/// Of a project.
const MOST_LABELS: usize = 200;
const TOO_MANY_LABELS: &str = "a project has at most 200 labels";
/// Of labels that nobody gave one.
const GREY: &str = "#808080";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(export_json::export))
        .routes(routes!(import_json::import))
        .routes(routes!(export_csv::export, import_csv::import))
}

/// As many changes as there are rows, and never more than a minute has: what is allowed as one document must be possible as one.
async fn charge(context: &Context, caller: &Caller, rows: usize) -> Result<Option<Allowance>, Problem> {
    let most = usize::try_from(context.limits.writes.uses).unwrap_or(usize::MAX);
    throttle::charge_others(context, caller, rows.min(most)).await
}

fn with(allowance: Option<Allowance>, mut response: Response) -> Response {
    if let Some(allowance) = allowance {
        allowance.write(response.headers_mut());
    }
    response
}

fn require(headers: &HeaderMap, kind: &str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.and_then(|value| value.split(';').next()).unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case(kind) {
        Ok(())
    } else {
        Err(Problem::UnsupportedMediaType)
    }
}

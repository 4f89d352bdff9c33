//! A release that starts, lives and serves, but never becomes ready: what a deployment has to notice by itself.

use std::process::ExitCode;

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

fn main() -> ExitCode {
    task_tracker::program(|routes: Router| routes.layer(middleware::from_fn(refuse_readiness)))
}

async fn refuse_readiness(request: Request, next: Next) -> Response {
    if request.uri().path() == "/readyz" {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

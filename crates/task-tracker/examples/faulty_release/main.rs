//! A release that is really bad: the service, but a share of its API requests is answered with 500.
//!
//! A program of its own rather than a switch in the service, so that no setting can break a real release. It refuses
//! before the database is reached: whatever it answers with 500 was not done. `FAULT_PERCENT` (20) is the share.

mod faults;

use std::{env, process::ExitCode, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use faults::Faults;

fn main() -> ExitCode {
    task_tracker::program(break_some)
}

fn break_some(routes: Router) -> Router {
    let percent = env::var("FAULT_PERCENT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_u64)
        .min(100);
    let faults = Arc::new(Faults::of(percent));
    routes.layer(middleware::from_fn_with_state(faults, refuse_some))
}

async fn refuse_some(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/") && faults.is_next() {
        let problem = r#"{"type":"urn:task-tracker:problem:internal","title":"Internal Server Error","status":500}"#;
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        return (StatusCode::INTERNAL_SERVER_ERROR, kind, problem).into_response();
    }
    next.run(request).await
}

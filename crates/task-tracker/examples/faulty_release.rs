//! A release that is really bad: the service, but a share of its API requests is answered with 500.
//!
//! A program of its own rather than a switch in the service, so that no setting can break a real release. It refuses
//! before the database is reached: whatever it answers with 500 was not done. `FAULT_PERCENT` (20) is the share.

use std::{
    env,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

fn main() -> ExitCode {
    task_tracker::program(break_some)
}

fn break_some(routes: Router) -> Router {
    let percent = env::var("FAULT_PERCENT")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_u64)
        .min(100);
    let faults = Arc::new(Faults {
        percent,
        requests: AtomicU64::new(0),
    });
    routes.layer(middleware::from_fn_with_state(faults, refuse_some))
}

struct Faults {
    percent: u64,
    requests: AtomicU64,
}

impl Faults {
    /// Spreads the faults evenly, so that even a short look sees the share.
    fn is_next(&self) -> bool {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) % 100;
        (request + 1) * self.percent / 100 > request * self.percent / 100
    }
}

async fn refuse_some(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/") && faults.is_next() {
        let problem = r#"{"type":"urn:task-tracker:problem:internal","title":"Internal Server Error","status":500}"#;
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        return (StatusCode::INTERNAL_SERVER_ERROR, kind, problem).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_exact_in_a_hundred_and_even_within() {
        for percent in [0, 1, 20, 33, 50, 100] {
            let faults = Faults {
                percent,
                requests: AtomicU64::new(0),
            };
            let run: Vec<bool> = (0..200).map(|_| faults.is_next()).collect();
            let of = |slice: &[bool]| slice.iter().filter(|fault| **fault).count() as u64;
            assert_eq!((of(&run[..100]), of(&run[100..])), (percent, percent));
            assert!(
                of(&run[..50]).abs_diff(percent / 2) <= 1,
                "{percent} % in the first fifty"
            );
        }
    }
}

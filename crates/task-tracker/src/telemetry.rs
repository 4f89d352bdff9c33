//! What an operator sees of a request: its id, its release, its log lines, its metrics.
//!
//! Labels come from the matched route only, so a scanner of paths cannot make time series. Each process has its own
//! recorder; nothing here is global.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};
use metrics::{counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};
use tracing::Instrument;
use uuid::Uuid;

use crate::{census::Census, database::PoolLevel, operation::Name, router::Context, trace};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RELEASE: HeaderName = HeaderName::from_static("x-release");
/// Seconds; dense around the promised p95 of 200 ms.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0];
/// The recorder keeps every sample of a histogram until it is told to sum up.
const SUM_UP: Duration = Duration::from_secs(5);

/// Wraps every request, answered or refused.
pub(crate) async fn observe(State(context): State<Context>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("<unmatched>", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        %method,
        route,
        trace = tracing::field::Empty
    );

    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match &context.traces {
        None => next.run(request).instrument(span.clone()).await,
        Some(traces) => {
            let headers = request.headers().clone();
            let work = async {
                if let Some(id) = trace::id() {
                    span.record("trace", &*id);
                }
                next.run(request).instrument(span.clone()).await
            };
            traces.request((&method, route), &headers, work).await
        }
    };

    let status = response.status();
    let took = begun.elapsed();
    context.meters.request(&method, route, status, took);
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), ms = took.as_millis(), "answered");
        } else {
            tracing::debug!(status = status.as_u16(), ms = took.as_millis(), "answered");
        }
    });
    let headers = response.headers_mut();
    headers.insert(RELEASE, context.release.clone());
    headers.insert(REQUEST_ID, id);
    if context.lifecycle.is_draining() {
        // hyper closes the connection behind this response, so its client takes the next request elsewhere.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// By which the log, the audit trail and the client speak of one request.
#[derive(Clone)]
pub(crate) struct RequestId(HeaderValue);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let unknown = || Self(HeaderValue::from_static("unknown"));
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(unknown))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// The caller's id if it is a sane one, so that one id runs through proxy, service and log.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    headers
        .get(REQUEST_ID)
        .filter(|id| (1..=100).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic))
        .cloned()
        .or_else(|| HeaderValue::from_str(&Uuid::now_v7().to_string()).ok())
        .unwrap_or(HeaderValue::from_static("unknown"))
}

/// The metrics of one process.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<PrometheusRecorder>);

impl Metrics {
    pub(crate) fn new() -> Result<Self, BuildError> {
        Ok(Self(Arc::new(
            PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder(),
        )))
    }

    fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let method = known(method);
        with_local_recorder(&*self.0, || {
            let status = status.as_str().to_owned();
            counter!("http_requests_total", "method" => method, "route" => route.to_owned(), "status" => status)
                .increment(1);
            histogram!("http_request_duration_seconds", "method" => method, "route" => route.to_owned())
                .record(took.as_secs_f64());
        });
    }

    /// An attempt to deliver to a webhook.
    pub(crate) fn delivery(&self, outcome: &'static str) {
        with_local_recorder(&*self.0, || {
            counter!("webhook_attempts_total", "outcome" => outcome).increment(1);
        });
    }

    pub(crate) fn pool_wait(&self, took: Duration) {
        with_local_recorder(&*self.0, || {
            histogram!("database_pool_wait_seconds").record(took.as_secs_f64());
        });
    }

    pub(crate) fn database_use(&self, operation: &Name, took: Duration) {
        with_local_recorder(&*self.0, || {
            histogram!("database_query_seconds", "operation" => operation.as_str().to_owned())
                .record(took.as_secs_f64());
        });
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of people and tasks are far below 2^53"
    )]
    pub(crate) fn census(&self, census: &Census) {
        with_local_recorder(&*self.0, || {
            gauge!("user_sessions").set(census.sessions as f64);
            gauge!("active_users").set(census.active_users as f64);
            for (status, count) in [
                ("open", census.open),
                ("in_progress", census.in_progress),
                ("done", census.done),
            ] {
                gauge!("tasks", "status" => status).set(count as f64);
            }
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "a pool has at most hundreds of connections")]
    pub(crate) fn render(&self, pool: &PoolLevel) -> String {
        with_local_recorder(&*self.0, || {
            gauge!("database_pool_connections").set(f64::from(pool.open));
            gauge!("database_pool_idle_connections").set(pool.idle as f64);
            gauge!("database_pool_max_connections").set(f64::from(pool.most));
        });
        self.0.handle().render()
    }

    /// Sums samples up from time to time; never ends by itself.
    pub(crate) async fn upkeep(self) {
        let handle = self.0.handle();
        let mut beat = tokio::time::interval(SUM_UP);
        loop {
            beat.tick().await;
            handle.run_upkeep();
        }
    }
}

/// A method is whatever the client wrote; a label must not be.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "PUT" => "PUT",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        _ => "<other>",
    }
}

//! The metrics of one process. Each process has its own recorder; nothing here is global.

use std::{sync::Arc, time::Duration};

use axum::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram, with_local_recorder};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusRecorder};

use super::series::Series;
use crate::{census::Census, database::PoolLevel, operation::Name, outbox::OUTCOMES};

/// Seconds; dense around the promised p95 of 200 ms.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 10.0];
/// The recorder keeps every sample of a histogram until it is told to sum up.
const SUM_UP: Duration = Duration::from_secs(5);

/// Where everything is counted; the same for all clones.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Meters>);

struct Meters {
    recorder: PrometheusRecorder,
    /// By route; then by method and status.
    requests: Series<(&'static str, StatusCode), Counter>,
    /// By route; then by method.
    durations: Series<&'static str, Histogram>,
    /// By operation.
    database: Series<(), Histogram>,
    pool_wait: Histogram,
    listeners: Gauge,
}

/// Somebody who follows a project, until it is dropped.
pub(crate) struct Listening(Gauge);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
        let (pool_wait, listeners) = with_local_recorder(&recorder, || {
            // A rate of a series that begins with its first event leaves that one out.
            for outcome in OUTCOMES {
                counter!("webhook_attempts_total", "outcome" => outcome).absolute(0);
            }
            (histogram!("database_pool_wait_seconds"), gauge!("live_listeners"))
        });
        listeners.set(0.0);
        Ok(Self(Arc::new(Meters {
            recorder,
            requests: Series::default(),
            durations: Series::default(),
            database: Series::default(),
            pool_wait,
            listeners,
        })))
    }

    /// One more who follows a project.
    pub(crate) fn listening(&self) -> Listening {
        let listeners = self.0.listeners.clone();
        listeners.increment(1.0);
        Listening(listeners)
    }

    pub(super) fn request(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        let method = known(method);
        let meters = &*self.0;
        let count = || {
            let status = status.as_str().to_owned();
            counter!("http_requests_total", "method" => method, "route" => route.to_owned(), "status" => status)
        };
        let duration = || histogram!("http_request_duration_seconds", "method" => method, "route" => route.to_owned());
        let requests = meters.requests.of(route, (method, status), || self.register(count));
        requests.increment(1);
        let durations = meters.durations.of(route, method, || self.register(duration));
        durations.record(took.as_secs_f64());
    }

    /// An attempt to deliver to a webhook.
    pub(crate) fn delivery(&self, outcome: &'static str) {
        self.register(|| counter!("webhook_attempts_total", "outcome" => outcome))
            .increment(1);
    }

    pub(crate) fn pool_wait(&self, took: Duration) {
        self.0.pool_wait.record(took.as_secs_f64());
    }

    pub(crate) fn database_use(&self, operation: &Name, took: Duration) {
        let operation = operation.as_str();
        let query = || histogram!("database_query_seconds", "operation" => operation.to_owned());
        let queries = self.0.database.of(operation, (), || self.register(query));
        queries.record(took.as_secs_f64());
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of people and tasks are far below 2^53"
    )]
    pub(crate) fn census(&self, census: &Census) {
        self.register(|| {
            gauge!("user_sessions").set(census.sessions as f64);
            gauge!("active_users").set(census.active_users as f64);
            for (status, count) in [
                ("open", census.open),
                ("in_progress", census.in_progress),
                ("done", census.done),
            ] {
                gauge!("tasks", "status" => status).set(count as f64);
            }
            for (state, count) in [("due", census.due), ("later", census.later)] {
                gauge!("webhook_backlog", "state" => state).set(count as f64);
            }
            gauge!("webhook_backlog_age_seconds").set(census.overdue);
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "a pool has at most hundreds of connections")]
    pub(crate) fn render(&self, pool: &PoolLevel) -> String {
        self.register(|| {
            gauge!("database_pool_connections").set(f64::from(pool.open));
            gauge!("database_pool_idle_connections").set(pool.idle as f64);
            gauge!("database_pool_max_connections").set(f64::from(pool.most));
        });
        self.0.recorder.handle().render()
    }

    /// Sums samples up from time to time; never ends by itself.
    pub(crate) async fn upkeep(self) {
        let handle = self.0.recorder.handle();
        let mut beat = tokio::time::interval(SUM_UP);
        loop {
            beat.tick().await;
            handle.run_upkeep();
        }
    }

    /// The macros of `metrics` find the recorder of the thread.
    fn register<T>(&self, series: impl FnOnce() -> T) -> T {
        with_local_recorder(&self.0.recorder, series)
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

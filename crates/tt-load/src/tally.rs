//! Counts answers: in all, by release, and of the second that is running. Bounded, however long the run.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use tokio::time::Instant;

use crate::{
    client::Exchange,
    report::{Failure, Latency, Release, Second, Traffic},
};

const MOST_FAILURES: usize = 10_000;
/// A run meets a handful; more is a service that makes up names.
const MOST_RELEASES: usize = 100;

/// The counts of a run so far.
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Vec<Failure>,
    pub(crate) by_release: BTreeMap<String, Release>,
    latency: Histogram<u64>,
    running: Running,
}

struct Running {
    number: u64,
    requests: u64,
    failed: u64,
    by_release: BTreeMap<String, Traffic>,
    latency: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Result<Self, hdrhistogram::CreationError> {
        Ok(Self {
            requests: 0,
            failed: 0,
            failures: Vec::new(),
            by_release: BTreeMap::new(),
            latency: Histogram::new_with_max(MICROS_A_MINUTE, 3)?,
            running: Running {
                number: 1,
                requests: 0,
                failed: 0,
                by_release: BTreeMap::new(),
                latency: Histogram::new_with_max(MICROS_A_MINUTE, 2)?,
            },
        })
    }

    /// Counts one request that was due at this moment.
    pub(crate) fn count(&mut self, due: Instant, exchange: &Exchange, failure: Option<Failure>) {
        let failed = u64::from(failure.is_some());
        let took = micros(exchange.answered.saturating_duration_since(due));
        self.requests += 1;
        self.failed += failed;
        self.latency.saturating_record(took);
        self.running.requests += 1;
        self.running.failed += failed;
        self.running.latency.saturating_record(took);
        if let Some(name) = exchange.outcome.as_ref().ok().and_then(|answer| answer.release()) {
            self.count_release(name, exchange, failed);
        }
        if let Some(failure) = failure
            && self.failures.len() < MOST_FAILURES
        {
            self.failures.push(failure);
        }
    }

    /// Ends the running second.
    pub(crate) fn second(&mut self) -> Second {
        let running = &mut self.running;
        let ended = Second {
            second: running.number,
            requests: std::mem::take(&mut running.requests),
            failed: std::mem::take(&mut running.failed),
            by_release: std::mem::take(&mut running.by_release),
            p95_ms: quantile(&running.latency, 0.95),
        };
        running.number += 1;
        running.latency.reset();
        ended
    }

    pub(crate) fn latency(&self) -> Latency {
        Latency {
            p50_ms: quantile(&self.latency, 0.50),
            p95_ms: quantile(&self.latency, 0.95),
            p99_ms: quantile(&self.latency, 0.99),
            max_ms: milliseconds(self.latency.max()),
        }
    }

    fn count_release(&mut self, name: &str, exchange: &Exchange, failed: u64) {
        if !self.by_release.contains_key(name) {
            if self.by_release.len() >= MOST_RELEASES {
                return;
            }
            self.by_release.insert(
                name.to_owned(),
                Release {
                    requests: 0,
                    failed: 0,
                    first_seen_unix_ms: exchange.answered_unix_ms,
                    last_seen_unix_ms: 0,
                    last_sent_unix_ms: 0,
                },
            );
        }
        if let Some(release) = self.by_release.get_mut(name) {
            release.requests += 1;
            release.failed += failed;
            // Answers are counted in the order they are handled, which is not quite the order they came in.
            release.first_seen_unix_ms = release.first_seen_unix_ms.min(exchange.answered_unix_ms);
            release.last_seen_unix_ms = release.last_seen_unix_ms.max(exchange.answered_unix_ms);
            release.last_sent_unix_ms = release.last_sent_unix_ms.max(exchange.sent_unix_ms);
        }
        if !self.running.by_release.contains_key(name) {
            self.running.by_release.insert(name.to_owned(), Traffic::default());
        }
        if let Some(traffic) = self.running.by_release.get_mut(name) {
            traffic.requests += 1;
            traffic.failed += failed;
        }
    }
}

const MICROS_A_MINUTE: u64 = 60_000_000;

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn quantile(latency: &Histogram<u64>, quantile: f64) -> f64 {
    milliseconds(latency.value_at_quantile(quantile))
}

#[expect(clippy::cast_precision_loss, reason = "at most a minute in microseconds")]
fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

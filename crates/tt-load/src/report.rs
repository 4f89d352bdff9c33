//! The figures of a run, as other programs read them. A change of meaning or name raises `version`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A whole run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of this format: 1.
    pub version: u32,
    /// When the first request left, in milliseconds since 1970.
    pub started_unix_ms: u64,
    /// When the last answer was in; the reading back comes after it.
    pub ended_unix_ms: u64,
    /// Requests sent.
    pub requests: u64,
    /// Requests that got no answer, a 5xx, or any status that the request did not ask for.
    pub failed: u64,
    /// Departures given up because all connections were busy for more than a second.
    pub missed: u64,
    /// Requests per second from start to end.
    pub achieved_rate: f64,
    /// The first 10,000 failures.
    pub failures: Vec<Failure>,
    /// What each release answered, by the `x-release` header.
    pub by_release: BTreeMap<String, Release>,
    /// From the scheduled departure to the complete answer, failed requests included.
    pub latency: Latency,
    /// Creates and updates answered with 2xx, those of the preparation included.
    pub acknowledged_writes: u64,
    /// Of these, found again at the end.
    pub verified_writes: u64,
    /// Of these, missing or older than acknowledged at the end.
    pub lost_writes: u64,
    /// Of these, not to be looked up at the end because the service did not answer.
    pub unverified_writes: u64,
}

/// One failed request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// When the answer, or the error instead of it, was there.
    pub at_unix_ms: u64,
    /// When the request was sent.
    pub sent_unix_ms: u64,
    /// The release that answered, if one did.
    pub release: Option<String>,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// What went wrong on the way, if there was no answer.
    pub error: Option<String>,
    /// Its method.
    pub method: String,
    /// Its path, ids left out.
    pub route: String,
}

/// What one release answered, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Requests it answered.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// When its first answer came.
    pub first_seen_unix_ms: u64,
    /// When its last answer came.
    pub last_seen_unix_ms: u64,
    /// When the last request that reached it was sent.
    pub last_sent_unix_ms: u64,
}

/// Latencies in milliseconds, correct to 0.1 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half were faster.
    pub p50_ms: f64,
    /// 95 % were faster.
    pub p95_ms: f64,
    /// 99 % were faster.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// The answers of one second, while the run goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Since the start, from 1.
    pub second: u64,
    /// Answers, and errors instead of them.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
    /// By release; answers that name none (a proxy's own) are in the totals only.
    pub by_release: BTreeMap<String, Traffic>,
    /// 95 % were faster, in milliseconds.
    pub p95_ms: f64,
}

/// A number of requests and how many of them failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests answered.
    pub requests: u64,
    /// Of these, failed.
    pub failed: u64,
}

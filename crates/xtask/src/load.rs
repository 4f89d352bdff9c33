//! The load, in a process of its own, and the report that it leaves.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Deserialize;

use crate::{child::Child, failure::Failure, interrupt::Interrupt, local::Tool};

/// How long the last answers and the reading back of every write may take.
const READ_BACK: Duration = Duration::from_mins(5);

/// A load that goes on.
#[derive(Debug)]
pub(crate) struct Load {
    process: Child,
    report: PathBuf,
    started: Instant,
    rate: u32,
}

impl Load {
    /// `rate` requests a second until [`Load::end`]. The report and the log go to `folder`, named after `name`.
    pub(crate) fn start(tool: &Tool, rate: u32, folder: &Path, name: &str) -> Result<Self, Failure> {
        let report = folder.join(format!("{name}.json"));
        if report.exists() {
            fs::remove_file(&report).map_err(|cause| Failure::Write {
                path: report.clone(),
                cause,
            })?;
        }
        let (per_second, path) = (rate.to_string(), report.to_string_lossy().into_owned());
        let arguments = [
            "sandbox",
            "load",
            "local",
            "--rate",
            &per_second,
            "--connections",
            "64",
            "--report",
            &path,
        ];
        let process = tool.logged(&arguments, &folder.join(format!("{name}.log")))?;
        Ok(Self {
            process,
            report,
            started: Instant::now(),
            rate,
        })
    }

    /// Fails when it has ended by itself.
    pub(crate) fn goes_on(&mut self) -> Result<(), Failure> {
        match self.process.ended()? {
            Some(status) => Err(self.process.failed(status)),
            None => Ok(()),
        }
    }

    /// How long until so many requests have left.
    pub(crate) fn time_until(&self, requests: u32) -> Duration {
        Duration::from_secs_f64(f64::from(requests) / f64::from(self.rate)).saturating_sub(self.started.elapsed())
    }

    /// Stops it; it then reads every acknowledged write back.
    pub(crate) fn end(mut self, interrupt: &Interrupt) -> Result<Report, Failure> {
        self.goes_on()?;
        let status = self.process.finish(READ_BACK, interrupt)?;
        // It ends with a failure when a single request has failed; whether that is bad is for its caller to judge.
        if !self.report.exists() {
            return Err(self.process.failed(status));
        }
        let text = fs::read(&self.report).map_err(|cause| Failure::Read {
            path: self.report.clone(),
            cause,
        })?;
        serde_json::from_slice(&text).map_err(|cause| Failure::Json {
            path: self.report.clone(),
            cause,
        })
    }
}

/// What chores read of the report that `tt-ops sandbox load` writes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Report {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) missed: u64,
    pub(crate) failures: Vec<FailedRequest>,
    pub(crate) by_release: BTreeMap<String, Answered>,
    pub(crate) latency: Latency,
    pub(crate) acknowledged_writes: u64,
    pub(crate) lost_writes: u64,
    pub(crate) unverified_writes: u64,
}

/// One request that failed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct FailedRequest {
    pub(crate) release: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) error: Option<String>,
    pub(crate) method: String,
    pub(crate) route: String,
}

/// What one release answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) struct Answered {
    pub(crate) requests: u64,
    pub(crate) last_sent_unix_ms: u64,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl Report {
    /// Failures that a release answered itself.
    pub(crate) fn failed_by(&self, release: &str) -> u64 {
        let own = self
            .failures
            .iter()
            .filter(|failure| failure.release.as_deref() == Some(release))
            .count();
        u64::try_from(own).unwrap_or(u64::MAX)
    }

    /// All other failures. The list of failures has an end; what it leaves out counts as well.
    pub(crate) fn failed_by_others_than(&self, release: &str) -> u64 {
        self.failed.saturating_sub(self.failed_by(release))
    }

    /// From `start` until the last request left that reached the release; `None` if it never answered one.
    pub(crate) fn seconds_until_last_of(&self, release: &str, start_unix_ms: u64) -> Option<f64> {
        let last = self.by_release.get(release)?.last_sent_unix_ms;
        Some(Duration::from_millis(last.saturating_sub(start_unix_ms)).as_secs_f64())
    }

    /// The release that the last request reached.
    pub(crate) fn last_release(&self) -> Option<&str> {
        let last = self
            .by_release
            .iter()
            .max_by_key(|(_, answered)| answered.last_sent_unix_ms);
        last.map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn failure(release: Option<&str>) -> FailedRequest {
        FailedRequest {
            release: release.map(str::to_owned),
            status: Some(500),
            error: None,
            method: "GET".to_owned(),
            route: "/api/v1/tasks/{id}".to_owned(),
        }
    }

    pub(crate) fn report() -> Report {
        let answered = |last_sent_unix_ms| Answered {
            requests: 10_000,
            last_sent_unix_ms,
        };
        Report {
            requests: 30_000,
            failed: 3,
            missed: 0,
            failures: vec![failure(Some("1.1.1")), failure(Some("1.1.1")), failure(Some("1.1.1"))],
            by_release: [
                ("1.0.0", 5_000),
                ("1.1.0", 90_000),
                ("1.1.1", 60_000),
                ("1.2.0", 80_250),
            ]
            .map(|(name, last)| (name.to_owned(), answered(last)))
            .into(),
            latency: Latency {
                p50_ms: 1.0,
                p99_ms: 8.5,
            },
            acknowledged_writes: 9_000,
            lost_writes: 0,
            unverified_writes: 0,
        }
    }

    #[test]
    fn failures_are_laid_at_the_door_of_who_answered() {
        let mut report = report();
        assert_eq!(
            (report.failed_by("1.1.1"), report.failed_by_others_than("1.1.1")),
            (3, 0)
        );
        report.failures.extend([failure(None), failure(Some("1.1.0"))]);
        report.failed = 5;
        assert_eq!(
            (report.failed_by("1.1.1"), report.failed_by_others_than("1.1.1")),
            (3, 2)
        );
        // More than the list holds.
        report.failed = 12_000;
        assert_eq!(report.failed_by_others_than("1.1.1"), 11_997);
    }

    #[test]
    fn a_rollback_lasts_until_the_last_request_that_reached_the_release() {
        let report = report();
        assert_eq!(report.seconds_until_last_of("1.2.0", 80_000), Some(0.25));
        assert_eq!(report.seconds_until_last_of("1.2.0", 81_000), Some(0.0));
        assert_eq!(report.seconds_until_last_of("1.3.0", 0), None);
        assert_eq!(report.last_release(), Some("1.1.0"));
    }
}

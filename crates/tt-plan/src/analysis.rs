//! Whether a release does well enough to get more traffic.

use std::time::Duration;

use serde::Serialize;
use tt_environment::Analysis;

/// What the new revision's target group did in the analysis window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Sample {
    /// Requests answered by its targets or lost on the way to them.
    pub requests: u64,
    /// Of these: 5xx answers and connections its targets refused or broke.
    pub errors: u64,
    /// Their 95th percentile of response time; absent without a data point.
    pub p95: Option<Duration>,
}

impl Sample {
    /// Errors in tenths of a percent of the requests, rounded up so that a breach cannot hide in rounding.
    pub fn error_tenths(&self) -> u64 {
        (self.errors * 1000)
            .checked_div(self.requests)
            .map_or(0, |_| (self.errors * 1000).div_ceil(self.requests))
    }
}

/// What a sample says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Within every limit, on enough data.
    Passed,
    /// Over a limit.
    Failed {
        /// Which one.
        breach: Breach,
    },
    /// Not enough to tell. Never counts as passed.
    Inconclusive {
        /// What is missing.
        gap: Gap,
    },
}

/// A limit that was broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "breach", rename_all = "kebab-case")]
pub enum Breach {
    /// Too many errors.
    ErrorRate {
        /// Errors.
        errors: u64,
        /// Of so many requests.
        requests: u64,
        /// The limit, in tenths of a percent.
        limit_tenths: u64,
    },
    /// Too slow.
    P95 {
        /// Milliseconds measured.
        millis: u64,
        /// Milliseconds allowed.
        limit_millis: u64,
    },
}

/// Why a sample says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "gap", rename_all = "kebab-case")]
pub enum Gap {
    /// CloudWatch has nothing.
    NoData,
    /// Fewer requests than the environment asks for.
    TooFewRequests {
        /// So many came.
        requests: u64,
        /// So many are needed.
        needed: u64,
    },
}

/// Holds a sample against the environment's limits.
///
/// Errors fail a release even on few requests once they could not be outweighed any more: when the errors seen would break the limit if all
/// requests still missing were fine.
pub fn judge(limits: &Analysis, sample: &Sample) -> Verdict {
    let limit_tenths = u64::from(limits.maximum_error_rate.tenths());
    let denominator = sample.requests.max(limits.minimum_requests);
    if sample.errors * 1000 > limit_tenths * denominator {
        return Verdict::Failed {
            breach: Breach::ErrorRate {
                errors: sample.errors,
                requests: sample.requests,
                limit_tenths,
            },
        };
    }
    if sample.requests == 0 {
        return Verdict::Inconclusive { gap: Gap::NoData };
    }
    if sample.requests < limits.minimum_requests {
        return Verdict::Inconclusive {
            gap: Gap::TooFewRequests {
                requests: sample.requests,
                needed: limits.minimum_requests,
            },
        };
    }
    match sample.p95 {
        None => Verdict::Inconclusive { gap: Gap::NoData },
        Some(p95) if p95 > limits.maximum_p95 => Verdict::Failed {
            breach: Breach::P95 {
                millis: whole_millis(p95),
                limit_millis: whole_millis(limits.maximum_p95),
            },
        },
        Some(_) => Verdict::Passed,
    }
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

//! How long things took.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Failure;

const MICROS_A_MINUTE: u64 = 60_000_000;

/// Counts durations up to a minute, correct to 0.1 %.
pub(crate) struct Latencies(Histogram<u64>);

/// In milliseconds.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names, reason = "the unit stands in the JSON")]
pub(crate) struct Spread {
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    max_ms: f64,
}

impl Latencies {
    pub(crate) fn new() -> Result<Self, Failure> {
        Ok(Self(Histogram::new_with_max(MICROS_A_MINUTE, 3)?))
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.0
            .saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) -> Result<(), Failure> {
        Ok(self.0.add(&other.0)?)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn spread(&self) -> Spread {
        let at = |quantile| milliseconds(self.0.value_at_quantile(quantile));
        Spread {
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: milliseconds(self.0.max()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "at most a minute in microseconds")]
fn milliseconds(micros: u64) -> f64 {
    micros as f64 / 1000.0
}

//! Which one number stands for all the samples of a period.

use std::fmt;

use super::samples::Samples;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Statistic {
    Average,
    Sum,
    Minimum,
    Maximum,
    SampleCount,
    /// Between 0 and 100.
    Percentile(f64),
}

impl Statistic {
    /// By CloudWatch's name: `Sum`, `p95`, `p99.9`.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        match name {
            "Average" => Some(Self::Average),
            "Sum" => Some(Self::Sum),
            "Minimum" => Some(Self::Minimum),
            "Maximum" => Some(Self::Maximum),
            "SampleCount" => Some(Self::SampleCount),
            _ => {
                let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
                (0.0..=100.0).contains(&percent).then_some(Self::Percentile(percent))
            }
        }
    }

    /// `None` for a percentile of values that were published as a statistic set.
    pub(crate) fn of(self, samples: &Samples) -> Option<f64> {
        match self {
            Self::Average => Some(samples.average()),
            Self::Sum => Some(samples.sum),
            Self::Minimum => Some(samples.minimum),
            Self::Maximum => Some(samples.maximum),
            Self::SampleCount => Some(samples.count),
            Self::Percentile(percent) => samples.percentile(percent),
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Average => f.write_str("Average"),
            Self::Sum => f.write_str("Sum"),
            Self::Minimum => f.write_str("Minimum"),
            Self::Maximum => f.write_str("Maximum"),
            Self::SampleCount => f.write_str("SampleCount"),
            Self::Percentile(percent) => write!(f, "p{percent}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_cloudwatch_writes_them() {
        for name in [
            "Average",
            "Sum",
            "Minimum",
            "Maximum",
            "SampleCount",
            "p50",
            "p99.9",
            "p100",
        ] {
            assert_eq!(Statistic::parse(name).unwrap().to_string(), name);
        }
        for name in ["p101", "p", "tm99", "average", "pNaN", ""] {
            assert_eq!(Statistic::parse(name), None, "{name}");
        }
    }
}

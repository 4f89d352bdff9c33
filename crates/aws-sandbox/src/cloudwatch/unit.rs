//! The units a metric may carry (Amazon CloudWatch API Reference, `MetricDatum`).

use std::fmt;

/// One of the units CloudWatch knows; anything else cannot be constructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unit(&'static str);

impl Unit {
    pub(crate) const SECONDS: Self = Self("Seconds");
    pub(crate) const COUNT: Self = Self("Count");
    pub(crate) const PERCENT: Self = Self("Percent");
    pub(crate) const NONE: Self = Self("None");

    /// `None` for a word CloudWatch does not know.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        ALL.iter().copied().find(|known| *known == word).map(Self)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const ALL: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

//! What clients send, as types. Texts are accepted for numbers and times, because the Query protocol has nothing else.

use serde::{Deserialize, Deserializer, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::CloudWatchError;
use super::metrics::SeriesKey;
use super::statistic::Statistic;
use super::unit::Unit;

/// A number, or the text of one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Number(pub(crate) f64);

/// Seconds since the epoch, or an ISO 8601 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub(crate) i64);

/// A boolean, or the text of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Flag(pub(crate) bool);

#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Number(f64),
    Flag(bool),
    Text(String),
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = match Raw::deserialize(deserializer)? {
            Raw::Number(number) => Some(number),
            Raw::Text(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            Raw::Flag(_) => None,
        };
        number
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a finite number is expected"))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let flag = match Raw::deserialize(deserializer)? {
            Raw::Flag(flag) => Some(flag),
            Raw::Text(text) => text.parse().ok(),
            Raw::Number(_) => None,
        };
        flag.map(Self)
            .ok_or_else(|| serde::de::Error::custom("true or false is expected"))
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = match Raw::deserialize(deserializer)? {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "fractions of a second are dropped on purpose"
            )]
            Raw::Number(number) => Some(number.floor() as i64),
            Raw::Text(text) => OffsetDateTime::parse(&text, &Rfc3339)
                .ok()
                .map(OffsetDateTime::unix_timestamp),
            Raw::Flag(_) => None,
        };
        seconds
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("a timestamp is expected"))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Dimension {
    pub(crate) name: String,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metric {
    pub(crate) namespace: String,
    #[serde(rename = "MetricName")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) dimensions: Vec<Dimension>,
}

impl Metric {
    pub(crate) fn key(&self, region: &str) -> SeriesKey {
        let dimensions = self
            .dimensions
            .iter()
            .map(|dimension| (dimension.name.clone(), dimension.value.clone()));
        SeriesKey::new(region, &self.namespace, &self.name, dimensions.collect())
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MetricStat {
    pub(crate) metric: Metric,
    pub(crate) period: Number,
    pub(crate) stat: String,
    pub(crate) unit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MetricDataQuery {
    pub(crate) id: String,
    pub(crate) metric_stat: Option<MetricStat>,
    pub(crate) expression: Option<String>,
    pub(crate) label: Option<String>,
    pub(crate) return_data: Option<Flag>,
    pub(crate) period: Option<Number>,
}

impl MetricDataQuery {
    /// Data is returned unless the client says otherwise.
    pub(crate) fn returns_data(&self) -> bool {
        self.return_data.is_none_or(|flag| flag.0)
    }
}

/// A whole positive number of seconds. CloudWatch knows 1, 5, 10, 20, 30 and multiples of 60; the sandbox any.
pub(crate) fn period(number: Number) -> Result<i64, CloudWatchError> {
    if number.0 >= 1.0 && number.0 <= 86_400.0 && number.0.fract() == 0.0 {
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and at most a day")]
        return Ok(number.0 as i64);
    }
    Err(CloudWatchError::value(format!(
        "The period must be 1 to 86400 whole seconds, not {}.",
        number.0
    )))
}

pub(crate) fn statistic(name: &str) -> Result<Statistic, CloudWatchError> {
    Statistic::parse(name).ok_or_else(|| {
        let message = format!(
            "The sandbox does not know the statistic {name}; it has Average, Sum, Minimum, Maximum, SampleCount and percentiles like p99.9."
        );
        CloudWatchError::value(message)
    })
}

pub(crate) fn unit(name: Option<&str>) -> Result<Option<Unit>, CloudWatchError> {
    let Some(name) = name else { return Ok(None) };
    Unit::parse(name)
        .map(Some)
        .ok_or_else(|| CloudWatchError::value(format!("There is no unit {name}.")))
}

//! The operations that read and publish metrics.

use std::collections::BTreeMap;

use serde::Deserialize;
use time::OffsetDateTime;

use super::data::Queries;
use super::error::CloudWatchError;
use super::input::{self, Dimension, Metric, MetricDataQuery, Number, Seconds};
use super::metrics::{Metrics, RETENTION_SECONDS, SeriesKey};
use super::samples::Samples;
use super::tree::Tree;
use super::unit::Unit;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetMetricData {
    metric_data_queries: Vec<MetricDataQuery>,
    start_time: Seconds,
    end_time: Seconds,
    scan_by: Option<String>,
}

pub(crate) fn get_data(metrics: &Metrics, region: &str, input: &GetMetricData) -> Result<Tree, CloudWatchError> {
    let (from, to) = window(input.start_time, input.end_time)?;
    let queries = Queries::read(region, &input.metric_data_queries)?;
    let window = queries.over(metrics, from, to);
    let mut results = Vec::new();
    for query in input.metric_data_queries.iter().filter(|query| query.returns_data()) {
        let mut points: Vec<(i64, f64)> = window.values(&query.id)?.into_iter().collect();
        if input.scan_by.as_deref() != Some("TimestampAscending") {
            points.reverse();
        }
        results.push(Tree::Fields(vec![
            ("Id", (&query.id).into()),
            (
                "Label",
                query.label.clone().unwrap_or_else(|| queries.label(&query.id)).into(),
            ),
            (
                "Timestamps",
                Tree::List(points.iter().map(|(at, _)| time(*at)).collect()),
            ),
            ("Values", Tree::list(points.iter().map(|(_, value)| *value))),
            ("StatusCode", "Complete".into()),
        ]));
    }
    Ok(Tree::Fields(vec![
        ("MetricDataResults", Tree::List(results)),
        ("Messages", Tree::List(Vec::new())),
    ]))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct GetMetricStatistics {
    #[serde(flatten)]
    metric: Metric,
    start_time: Seconds,
    end_time: Seconds,
    period: Number,
    #[serde(default)]
    statistics: Vec<String>,
    #[serde(default)]
    extended_statistics: Vec<String>,
    unit: Option<String>,
}

pub(crate) fn get_statistics(
    metrics: &Metrics,
    region: &str,
    input: &GetMetricStatistics,
) -> Result<Tree, CloudWatchError> {
    let (from, to) = window(input.start_time, input.end_time)?;
    let period = input::period(input.period)?;
    if input.statistics.is_empty() && input.extended_statistics.is_empty() {
        return Err(CloudWatchError::missing("Statistics"));
    }
    if (to - from) / period > 1440 {
        let message = "You have requested more than 1,440 datapoints; use a longer period or a shorter window.";
        return Err(CloudWatchError::combination(message));
    }
    // A list of names that are static in answers.
    let plain = [
        ("Average", "Average"),
        ("Sum", "Sum"),
        ("Minimum", "Minimum"),
        ("Maximum", "Maximum"),
        ("SampleCount", "SampleCount"),
    ];
    for name in &input.statistics {
        if !plain.iter().any(|(known, _)| known == name) {
            return Err(CloudWatchError::value(format!(
                "{name} is not a statistic; a percentile is an extended statistic."
            )));
        }
    }
    let key = input.metric.key(region);
    let unit = input::unit(input.unit.as_deref())?;
    let mut datapoints = Vec::new();
    for point in metrics.points(&key, unit, from, to, period) {
        let mut fields = vec![("Timestamp", time(point.at))];
        for (name, field) in plain {
            if input.statistics.iter().any(|asked| asked == name)
                && let Some(value) = input::statistic(name)?.of(&point.samples)
            {
                fields.push((field, value.into()));
            }
        }
        let mut extended = Vec::new();
        for name in &input.extended_statistics {
            if let Some(value) = input::statistic(name)?.of(&point.samples) {
                extended.push((name.clone(), value.into()));
            }
        }
        if !extended.is_empty() {
            fields.push(("ExtendedStatistics", Tree::Map(extended)));
        }
        fields.push(("Unit", metrics.unit(&key).unwrap_or(Unit::NONE).to_string().into()));
        datapoints.push(Tree::Fields(fields));
    }
    Ok(Tree::Fields(vec![
        ("Label", (&key.name).into()),
        ("Datapoints", Tree::List(datapoints)),
    ]))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct ListMetrics {
    namespace: Option<String>,
    metric_name: Option<String>,
    #[serde(default)]
    dimensions: Vec<DimensionFilter>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DimensionFilter {
    name: String,
    value: Option<String>,
}

/// A page of `ListMetrics` has at most this many metrics (Amazon CloudWatch API Reference).
const PAGE: usize = 500;

pub(crate) fn list(metrics: &Metrics, region: &str, input: &ListMetrics) -> Result<Tree, CloudWatchError> {
    let skipped: usize = match &input.next_token {
        None => 0,
        Some(token) => token
            .parse()
            .map_err(|_| CloudWatchError::value("The next token is not one of this operation."))?,
    };
    let wanted = |key: &SeriesKey| {
        input
            .namespace
            .as_ref()
            .is_none_or(|namespace| *namespace == key.namespace)
            && input.metric_name.as_ref().is_none_or(|name| *name == key.name)
            && input.dimensions.iter().all(|filter| {
                let matches = |(name, value): &(String, String)| {
                    *name == filter.name && filter.value.as_ref().is_none_or(|wanted| wanted == value)
                };
                key.dimensions.iter().any(matches)
            })
    };
    let mut keys = metrics.list(region).into_iter().filter(wanted).skip(skipped);
    let page: Vec<Tree> = keys.by_ref().take(PAGE).map(|key| described(&key)).collect();
    let shown = skipped + page.len();
    let mut fields = vec![("Metrics", Tree::List(page))];
    if keys.next().is_some() {
        fields.push(("NextToken", shown.to_string().into()));
    }
    Ok(Tree::Fields(fields))
}

fn described(key: &SeriesKey) -> Tree {
    Tree::Fields(vec![
        ("Namespace", (&key.namespace).into()),
        ("MetricName", (&key.name).into()),
        (
            "Dimensions",
            dimensions(
                key.dimensions
                    .iter()
                    .map(|(name, value)| (name.as_str(), value.as_str())),
            ),
        ),
    ])
}

pub(crate) fn dimensions<'a>(dimensions: impl Iterator<Item = (&'a str, &'a str)>) -> Tree {
    Tree::List(
        dimensions
            .map(|(name, value)| Tree::Fields(vec![("Name", name.into()), ("Value", value.into())]))
            .collect(),
    )
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutMetricData {
    namespace: String,
    #[serde(default)]
    metric_data: Vec<Datum>,
    #[serde(default)]
    entity_metric_data: Vec<EntityData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EntityData {
    #[serde(default)]
    metric_data: Vec<Datum>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Datum {
    metric_name: String,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    timestamp: Option<Seconds>,
    value: Option<Number>,
    #[serde(default)]
    values: Vec<Number>,
    #[serde(default)]
    counts: Vec<Number>,
    statistic_values: Option<StatisticSet>,
    unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct StatisticSet {
    sample_count: Number,
    sum: Number,
    minimum: Number,
    maximum: Number,
}

/// Nothing is published when any of the data is wrong.
pub(crate) fn publish(metrics: &Metrics, region: &str, input: &PutMetricData) -> Result<Tree, CloudWatchError> {
    if input.namespace.starts_with("AWS/") {
        return Err(CloudWatchError::value(
            "The namespace must not begin with AWS/, which belongs to AWS's services.",
        ));
    }
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let mut published = Vec::new();
    for datum in input
        .metric_data
        .iter()
        .chain(input.entity_metric_data.iter().flat_map(|entity| &entity.metric_data))
    {
        let dimensions: BTreeMap<&String, &String> = datum
            .dimensions
            .iter()
            .map(|dimension| (&dimension.name, &dimension.value))
            .collect();
        if dimensions.len() != datum.dimensions.len() || dimensions.len() > 30 {
            return Err(CloudWatchError::value(
                "A metric has at most 30 dimensions, each name once.",
            ));
        }
        let dimensions = dimensions
            .into_iter()
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let key = SeriesKey::new(region, &input.namespace, &datum.metric_name, dimensions);
        let unit = input::unit(datum.unit.as_deref())?.unwrap_or(Unit::NONE);
        let at = datum.timestamp.map_or(now, |at| at.0);
        if !(now - 14 * 86_400..=now + 7200).contains(&at) {
            let message = "The timestamp must be within two weeks before and two hours after now.";
            return Err(CloudWatchError::value(message));
        }
        published.push((key, unit, at, datum.samples()?));
    }
    for (key, unit, at, samples) in published
        .into_iter()
        .filter(|(_, _, at, _)| *at >= now - RETENTION_SECONDS)
    {
        metrics.publish(&key, unit, at, samples);
    }
    Ok(Tree::Fields(Vec::new()))
}

impl Datum {
    fn samples(&self) -> Result<Samples, CloudWatchError> {
        match (self.value, self.values.as_slice(), &self.statistic_values) {
            (Some(value), [], None) => Ok(Samples::of(value.0, 1.0)),
            (None, [], Some(set)) if set.sample_count.0 > 0.0 && set.minimum.0 <= set.maximum.0 => Ok(
                Samples::summary(set.sample_count.0, set.sum.0, set.minimum.0, set.maximum.0),
            ),
            (None, [first, rest @ ..], None) if self.counts.is_empty() || self.counts.len() == self.values.len() => {
                let count = |at: usize| self.counts.get(at).map_or(1.0, |count| count.0);
                let mut samples = Samples::of(first.0, count(0));
                for (at, value) in rest.iter().enumerate() {
                    samples.merge(&Samples::of(value.0, count(at + 1)));
                }
                if samples.count > 0.0 {
                    Ok(samples)
                } else {
                    Err(CloudWatchError::value("The counts must be positive."))
                }
            }
            _ => {
                let message = format!(
                    "The datum {} must have a Value, or Values with as many Counts, or consistent StatisticValues.",
                    self.metric_name
                );
                Err(CloudWatchError::combination(message))
            }
        }
    }
}

fn window(start: Seconds, end: Seconds) -> Result<(i64, i64), CloudWatchError> {
    if start.0 < end.0 {
        Ok((start.0, end.0))
    } else {
        Err(CloudWatchError::validation(
            "The parameter StartTime must be less than the parameter EndTime.",
        ))
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds since the epoch are far below 2^53")]
pub(crate) fn time(at: i64) -> Tree {
    Tree::Time(at as f64)
}

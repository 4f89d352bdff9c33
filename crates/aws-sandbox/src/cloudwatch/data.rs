//! Data queries: metric statistics and expressions over them, evaluated for a window of time.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::error::CloudWatchError;
use super::input::{self, MetricDataQuery};
use super::math::{Context, Expression, MathError, Series};
use super::metrics::{Metrics, SeriesKey};
use super::statistic::Statistic;
use super::unit::Unit;

/// Checked queries that may refer to one another.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    sources: BTreeMap<String, Source>,
    /// Ids in the order of the request.
    order: Vec<String>,
    /// The longest period among them, which is that of the expressions too.
    pub(crate) period: i64,
}

#[derive(Debug, Clone)]
enum Source {
    Metric {
        key: SeriesKey,
        statistic: Statistic,
        period: i64,
        unit: Option<Unit>,
    },
    Expression(Expression),
}

impl Queries {
    pub(crate) fn read(region: &str, queries: &[MetricDataQuery]) -> Result<Self, CloudWatchError> {
        // Amazon CloudWatch API Reference, GetMetricData.
        if queries.is_empty() || queries.len() > 500 {
            return Err(CloudWatchError::validation(
                "A request has 1 to 500 metric data queries.",
            ));
        }
        let mut read = Self {
            sources: BTreeMap::new(),
            order: Vec::new(),
            period: 1,
        };
        for query in queries {
            let id = &query.id;
            let valid = id.starts_with(|first: char| first.is_ascii_lowercase())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !valid {
                let message = format!(
                    "The id `{id}` must begin with a lowercase letter and have only letters, digits and underscores."
                );
                return Err(CloudWatchError::validation(message));
            }
            let (source, period) = Source::read(region, query)?;
            read.period = read.period.max(period);
            read.order.push(id.clone());
            if read.sources.insert(id.clone(), source).is_some() {
                return Err(CloudWatchError::validation(format!("The id `{id}` is used twice.")));
            }
        }
        Ok(read)
    }

    /// The values of one query for the periods that begin in `from..to`.
    pub(crate) fn series(&self, metrics: &Metrics, id: &str, from: i64, to: i64) -> Result<Series, CloudWatchError> {
        self.over(metrics, from, to).values(id)
    }

    /// Every query over the periods that begin in `from..to`, as of one moment: a metric is read once, so that an
    /// expression agrees with the metrics beside it while requests go on being counted.
    pub(crate) fn over<'a>(&'a self, metrics: &'a Metrics, from: i64, to: i64) -> Window<'a> {
        Window {
            queries: self,
            metrics,
            from,
            to,
            open: RefCell::default(),
            read: RefCell::default(),
        }
    }

    /// What a result is called when the client did not choose a label.
    pub(crate) fn label(&self, id: &str) -> String {
        match self.sources.get(id) {
            Some(Source::Metric { key, .. }) => key.name.clone(),
            Some(Source::Expression(_)) | None => id.to_owned(),
        }
    }
}

impl Source {
    fn read(region: &str, query: &MetricDataQuery) -> Result<(Self, i64), CloudWatchError> {
        match (&query.metric_stat, &query.expression) {
            (Some(stat), None) => {
                let period = input::period(stat.period)?;
                let statistic = input::statistic(&stat.stat)?;
                let unit = input::unit(stat.unit.as_deref())?;
                Ok((
                    Self::Metric {
                        key: stat.metric.key(region),
                        statistic,
                        period,
                        unit,
                    },
                    period,
                ))
            }
            (None, Some(expression)) => {
                let period = query.period.map_or(Ok(1), input::period)?;
                let parsed = Expression::parse(expression).map_err(|cause| {
                    CloudWatchError::validation(format!("Error in expression '{}': {cause}", query.id))
                })?;
                Ok((Self::Expression(parsed), period))
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = format!("The query `{}` must have either MetricStat or Expression.", query.id);
                Err(CloudWatchError::validation(message))
            }
        }
    }
}

/// Queries over one window of time, evaluated when they are asked for.
pub(crate) struct Window<'a> {
    queries: &'a Queries,
    metrics: &'a Metrics,
    from: i64,
    to: i64,
    /// Expressions being evaluated, to notice one that needs itself.
    open: RefCell<BTreeSet<String>>,
    /// The metrics that were read, by the id of their query.
    read: RefCell<BTreeMap<String, Series>>,
}

impl Window<'_> {
    pub(crate) fn values(&self, id: &str) -> Result<Series, CloudWatchError> {
        self.series(id)
            .map_err(|cause| CloudWatchError::validation(format!("Error in expression '{id}': {cause}")))
    }
}

impl Context for Window<'_> {
    fn series(&self, id: &str) -> Result<Series, MathError> {
        match self.queries.sources.get(id) {
            None => Err(MathError::UnknownId(id.to_owned())),
            Some(Source::Metric {
                key,
                statistic,
                period,
                unit,
            }) => {
                if let Some(series) = self.read.borrow().get(id) {
                    return Ok(series.clone());
                }
                let points = self.metrics.points(key, *unit, self.from, self.to, *period);
                let series: Series = points
                    .iter()
                    .filter_map(|point| Some((point.at, statistic.of(&point.samples)?)))
                    .collect();
                self.read.borrow_mut().insert(id.to_owned(), series.clone());
                Ok(series)
            }
            Some(Source::Expression(expression)) => {
                if !self.open.borrow_mut().insert(id.to_owned()) {
                    return Err(MathError::Circular(id.to_owned()));
                }
                let series = expression.evaluate(self);
                self.open.borrow_mut().remove(id);
                series
            }
        }
    }

    fn metric_ids(&self, containing: &str) -> Vec<String> {
        let is_metric = |id: &&String| matches!(self.queries.sources.get(*id), Some(Source::Metric { .. }));
        self.queries
            .order
            .iter()
            .filter(is_metric)
            .filter(|id| id.contains(containing))
            .cloned()
            .collect()
    }

    fn period(&self) -> i64 {
        self.queries.period
    }

    fn periods(&self) -> Vec<i64> {
        let period = self.queries.period;
        let mut periods = Vec::new();
        let mut at = self.from.div_euclid(period) * period;
        while at < self.to {
            periods.push(at);
            at += period;
        }
        periods
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::samples::Samples;

    /// `errors` has points at 0 and 120, `requests` at 0, 60 and 120.
    fn metrics() -> Metrics {
        let metrics = Metrics::default();
        for (name, at, value) in [
            ("errors", 0, 5.0),
            ("errors", 125, 1.0),
            ("requests", 0, 40.0),
            ("requests", 59, 60.0),
            ("requests", 60, 50.0),
            ("requests", 179, 0.0),
        ] {
            metrics.publish(
                &SeriesKey::new("r", "N", name, Vec::new()),
                Unit::COUNT,
                at,
                Samples::of(value, 1.0),
            );
        }
        metrics
    }

    fn query(json: &str) -> Vec<MetricDataQuery> {
        let metric = |id: &str| {
            format!(
                r#"{{"Id":"{id}","MetricStat":{{"Metric":{{"Namespace":"N","MetricName":"{id}"}},"Period":60,"Stat":"Sum"}}}}"#
            )
        };
        serde_json::from_str(&format!("[{},{},{json}]", metric("errors"), metric("requests"))).unwrap()
    }

    fn check(expression: &str, expected: &[(i64, f64)]) {
        let expression = serde_json::to_string(expression).unwrap();
        let queries = Queries::read("r", &query(&format!(r#"{{"Id":"e","Expression":{expression}}}"#))).unwrap();
        let series = queries.series(&metrics(), "e", 0, 180).unwrap();
        assert_eq!(series.into_iter().collect::<Vec<_>>(), expected, "{expression}");
    }

    #[test]
    fn expressions_give_what_cloudwatch_gives() {
        check("errors / requests * 100", &[(0, 5.0)]);
        check("FILL(errors, 0) / requests", &[(0, 0.05), (60, 0.0)]);
        check("FILL(errors, REPEAT)", &[(0, 5.0), (60, 5.0), (120, 1.0)]);
        check("FILL(errors, LINEAR)", &[(0, 5.0), (60, 3.0), (120, 1.0)]);
        check("IF(requests > 50, errors, -1)", &[(0, 5.0), (60, -1.0), (120, -1.0)]);
        check("IF(requests >= 50 AND requests != 100, 1)", &[(60, 1.0)]);
        check("SUM([errors, requests])", &[(0, 105.0), (60, 50.0), (120, 1.0)]);
        check("SUM(METRICS())", &[(0, 105.0), (60, 50.0), (120, 1.0)]);
        check("MAX(METRICS(\"err\"))", &[(0, 5.0), (120, 1.0)]);
        check("errors - AVG(errors)", &[(0, 2.0), (120, -2.0)]);
        check(
            "requests / PERIOD(requests)",
            &[(0, 100.0 / 60.0), (60, 50.0 / 60.0), (120, 0.0)],
        );
        check("RUNNING_SUM(requests)", &[(0, 100.0), (60, 150.0), (120, 150.0)]);
        check("DIFF(requests)", &[(60, -50.0), (120, -50.0)]);
        check("RATE(errors)", &[(120, -4.0 / 120.0)]);
        check("-2^2 + 0 * errors", &[(0, -4.0), (120, -4.0)]);
        check("2 ^ 3 ^ 0 * TIME_SERIES(1)", &[(0, 2.0), (60, 2.0), (120, 2.0)]);
        check("1 - 2 - 3 + 0*requests", &[(0, -4.0), (60, -4.0), (120, -4.0)]);
    }

    #[test]
    fn an_expression_agrees_with_its_metrics_while_requests_are_counted() {
        let metrics = metrics();
        let queries = Queries::read("r", &query(r#"{"Id":"e","Expression":"errors * 1"}"#)).unwrap();
        let window = queries.over(&metrics, 0, 60);
        let read = window.values("errors").unwrap();
        let key = SeriesKey::new("r", "N", "errors", Vec::new());
        metrics.publish(&key, Unit::COUNT, 1, Samples::of(7.0, 1.0));
        assert_eq!(window.values("e").unwrap(), read);
    }

    #[test]
    fn a_wrong_expression_says_what_is_wrong_with_it() {
        for (expression, word) in [
            ("errors +", "ends too early"),
            ("errors ) 1", "`)`"),
            ("BOGUS(errors)", "BOGUS"),
            ("absent", "absent"),
            ("e + 1", "refers to itself"),
            ("SUM(errors)", "single number"),
            ("errors # 1", "`#`"),
            ("ABS(errors, 1)", "ABS"),
            ("FILL(errors, NEVER)", "FILL"),
        ] {
            let json = format!(
                r#"{{"Id":"e","Expression":{}}}"#,
                serde_json::to_string(expression).unwrap()
            );
            let failed = match Queries::read("r", &query(&json)) {
                Err(error) => error,
                Ok(queries) => queries.series(&metrics(), "e", 0, 180).unwrap_err(),
            };
            assert!(failed.message.contains(word), "{expression}: {}", failed.message);
        }
        let deep = "(".repeat(1000);
        assert_eq!(Expression::parse(&deep).unwrap_err(), MathError::TooDeep);
    }
}

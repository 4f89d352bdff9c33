//! The store every part of the data plane records into: one series per region, namespace, name and dimensions.
//!
//! Kept in memory and by the second, for as long as CloudWatch keeps high-resolution data. Never on disk: a restarted
//! sandbox has measured nothing yet, and says so by having no data points.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use time::OffsetDateTime;

use super::samples::Samples;
use super::unit::Unit;

/// Data points with a period below a minute live for three hours (Amazon CloudWatch User Guide, "Metrics retention").
pub(crate) const RETENTION_SECONDS: i64 = 3 * 60 * 60;
/// So that proxies on several threads seldom wait for one another.
const SHARDS: usize = 16;

/// Identifies a series. Dimensions are sorted by name, since `CloudWatch` does not tell their orders apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SeriesKey {
    pub(crate) region: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) dimensions: Vec<(String, String)>,
}

impl SeriesKey {
    pub(crate) fn new(region: &str, namespace: &str, name: &str, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self {
            region: region.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions,
        }
    }
}

/// Everything measured, of every region.
#[derive(Debug)]
pub(crate) struct Metrics {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
}

/// By hash of the key, so that recording needs no owned key to look its series up.
type Shard = HashMap<u64, Vec<Series>>;

#[derive(Debug)]
struct Series {
    key: SeriesKey,
    unit: Unit,
    seconds: BTreeMap<i64, Samples>,
}

/// One aggregated stretch of time.
#[derive(Debug, Clone)]
pub(crate) struct Point {
    /// Unix seconds at which the period begins.
    pub(crate) at: i64,
    pub(crate) samples: Samples,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
        }
    }
}

impl Metrics {
    /// Records one measurement now. `dimensions` are sorted by name. Costs a hash, a short lock and no allocation once the series exists.
    pub(crate) fn record(
        &self,
        region: &str,
        namespace: &'static str,
        name: &'static str,
        dimensions: &[(&'static str, String)],
        value: f64,
        unit: Unit,
    ) {
        debug_assert!(
            dimensions.is_sorted_by_key(|(dimension, _)| *dimension),
            "dimensions of {name} are not sorted"
        );
        if !value.is_finite() {
            return;
        }
        let at = OffsetDateTime::now_utc().unix_timestamp();
        let series = Borrowed {
            region,
            namespace,
            name,
            dimensions,
        };
        self.with(&series, unit, |seconds| {
            seconds
                .entry(at)
                .and_modify(|samples| samples.add(value))
                .or_insert_with(|| Samples::of(value, 1.0));
        });
    }

    /// Takes in what a client published for the second `at`.
    pub(crate) fn publish(&self, key: &SeriesKey, unit: Unit, at: i64, samples: Samples) {
        self.with(key, unit, |seconds| match seconds.get_mut(&at) {
            Some(known) => known.merge(&samples),
            None => {
                seconds.insert(at, samples);
            }
        });
    }

    /// Periods that begin in `from..to` and hold data, oldest first. A period is a positive number of seconds and periods are aligned to the epoch.
    pub(crate) fn points(&self, key: &SeriesKey, unit: Option<Unit>, from: i64, to: i64, period: i64) -> Vec<Point> {
        let from = from.div_euclid(period) * period;
        let hash = self.hasher.hash_one(Fingerprint(key));
        let shard = self.shard(hash);
        let series = shard
            .get(&hash)
            .and_then(|chain| chain.iter().find(|series| series.key == *key));
        let Some(series) = series.filter(|series| unit.is_none_or(|unit| unit == series.unit)) else {
            return Vec::new();
        };
        let mut points: Vec<Point> = Vec::new();
        if from >= to {
            return points;
        }
        for (second, samples) in series.seconds.range(from..to) {
            let at = second.div_euclid(period) * period;
            match points.last_mut() {
                Some(point) if point.at == at => point.samples.merge(samples),
                Some(_) | None => points.push(Point {
                    at,
                    samples: samples.clone(),
                }),
            }
        }
        points
    }

    pub(crate) fn unit(&self, key: &SeriesKey) -> Option<Unit> {
        let hash = self.hasher.hash_one(Fingerprint(key));
        self.shard(hash)
            .get(&hash)?
            .iter()
            .find(|series| series.key == *key)
            .map(|series| series.unit)
    }

    /// The series of a region, sorted.
    pub(crate) fn list(&self, region: &str) -> Vec<SeriesKey> {
        let mut keys: Vec<SeriesKey> = Vec::new();
        for shard in &self.shards {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            keys.extend(
                shard
                    .values()
                    .flatten()
                    .filter(|series| series.key.region == region)
                    .map(|series| series.key.clone()),
            );
        }
        keys.sort();
        keys
    }

    fn with(&self, key: &impl Key, unit: Unit, change: impl FnOnce(&mut BTreeMap<i64, Samples>)) {
        let hash = self.hasher.hash_one(Fingerprint(key));
        let mut shard = self.shard(hash);
        let chain = shard.entry(hash).or_default();
        let at = chain.iter().position(|series| key.is(&series.key)).unwrap_or_else(|| {
            chain.push(Series {
                key: key.owned(),
                unit,
                seconds: BTreeMap::new(),
            });
            chain.len() - 1
        });
        let series = &mut chain[at];
        series.unit = unit;
        change(&mut series.seconds);
        let Some((newest, _)) = series.seconds.last_key_value() else {
            return;
        };
        let oldest = newest - RETENTION_SECONDS;
        while series
            .seconds
            .first_key_value()
            .is_some_and(|(second, _)| *second < oldest)
        {
            series.seconds.pop_first();
        }
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits choose the shard")]
        let at = hash as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key that need not be owned to be looked up.
trait Key {
    fn feed(&self, hasher: &mut impl Hasher);
    fn is(&self, key: &SeriesKey) -> bool;
    fn owned(&self) -> SeriesKey;
}

struct Fingerprint<'a, K>(&'a K);

impl<K: Key> Hash for Fingerprint<'_, K> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.0.feed(hasher);
    }
}

struct Borrowed<'a> {
    region: &'a str,
    namespace: &'a str,
    name: &'a str,
    dimensions: &'a [(&'static str, String)],
}

impl Key for Borrowed<'_> {
    fn feed(&self, hasher: &mut impl Hasher) {
        feed(
            hasher,
            [self.region, self.namespace, self.name],
            self.dimensions.iter().map(|(name, value)| (*name, value.as_str())),
        );
    }

    fn is(&self, key: &SeriesKey) -> bool {
        key.region == self.region
            && key.namespace == self.namespace
            && key.name == self.name
            && key.dimensions.len() == self.dimensions.len()
            && key
                .dimensions
                .iter()
                .zip(self.dimensions)
                .all(|(known, (name, value))| known.0 == *name && known.1 == *value)
    }

    fn owned(&self) -> SeriesKey {
        let dimensions = self
            .dimensions
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        SeriesKey::new(self.region, self.namespace, self.name, dimensions)
    }
}

impl Key for SeriesKey {
    fn feed(&self, hasher: &mut impl Hasher) {
        let dimensions = self
            .dimensions
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        feed(hasher, [&self.region, &self.namespace, &self.name], dimensions);
    }

    fn is(&self, key: &SeriesKey) -> bool {
        self == key
    }

    fn owned(&self) -> SeriesKey {
        self.clone()
    }
}

fn feed<'a>(hasher: &mut impl Hasher, names: [&str; 3], dimensions: impl Iterator<Item = (&'a str, &'a str)>) {
    names.hash(hasher);
    for dimension in dimensions {
        dimension.hash(hasher);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> SeriesKey {
        SeriesKey::new(
            "eu-central-1",
            "Test",
            name,
            vec![("B".into(), "2".into()), ("A".into(), "1".into())],
        )
    }

    #[test]
    fn what_is_recorded_can_be_read_by_region_and_dimensions() {
        let metrics = Metrics::default();
        let dimensions = [
            ("LoadBalancer", "app/web/1".to_owned()),
            ("TargetGroup", "targetgroup/blue/1".to_owned()),
        ];
        let from = OffsetDateTime::now_utc().unix_timestamp();
        for _ in 0..5 {
            metrics.record(
                "eu-central-1",
                "AWS/ApplicationELB",
                "RequestCount",
                &dimensions,
                1.0,
                Unit::COUNT,
            );
        }
        let owned = dimensions
            .iter()
            .rev()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        let key = SeriesKey::new("eu-central-1", "AWS/ApplicationELB", "RequestCount", owned);
        let total: f64 = metrics
            .points(&key, None, from, from + 60, 60)
            .iter()
            .map(|point| point.samples.sum)
            .sum();
        assert!((total - 5.0).abs() < f64::EPSILON);
        assert_eq!(metrics.list("eu-central-1"), std::slice::from_ref(&key));
        assert!(metrics.list("us-east-1").is_empty(), "regions are isolated");
        assert!(
            metrics
                .points(&key, Some(Unit::SECONDS), from, from + 60, 60)
                .is_empty(),
            "another unit is another metric"
        );
    }

    #[test]
    fn periods_are_aligned_and_the_end_is_exclusive() {
        let metrics = Metrics::default();
        for second in [59, 60, 61, 119, 120] {
            metrics.publish(&key("x"), Unit::NONE, second, Samples::of(1.0, 1.0));
        }
        let points: Vec<(i64, f64)> = metrics
            .points(&key("x"), None, 61, 120, 60)
            .into_iter()
            .map(|point| (point.at, point.samples.count))
            .collect();
        assert_eq!(points, [(60, 3.0)], "the start is rounded down to its period");
    }

    #[test]
    fn data_older_than_the_retention_is_dropped() {
        let metrics = Metrics::default();
        metrics.publish(&key("x"), Unit::NONE, 0, Samples::of(1.0, 1.0));
        metrics.publish(&key("x"), Unit::NONE, RETENTION_SECONDS + 1, Samples::of(1.0, 1.0));
        assert_eq!(metrics.points(&key("x"), None, 0, RETENTION_SECONDS * 2, 1).len(), 1);
    }
}

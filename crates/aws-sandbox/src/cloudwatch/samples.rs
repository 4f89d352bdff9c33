//! What was measured in one stretch of time: count, sum, extremes, and enough of the distribution for percentiles.
//!
//! The distribution is a sparse logarithmic histogram whose bins are 1 % wide, so a percentile is within 0.5 % of a
//! measured value and a second of traffic costs a few hundred bytes however many requests it saw.

/// A bin is 1 % wider than the one below it.
const GROWTH: f64 = 1.01;
/// Shifts the logarithm so that every value down to about 5e-18 has a positive bin; the sign of the bin is the value's.
const OFFSET: f64 = 4000.0;

/// The measurements of one second, or of several merged.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Samples {
    pub(crate) count: f64,
    pub(crate) sum: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
    distribution: Distribution,
}

#[derive(Debug, Clone, PartialEq)]
enum Distribution {
    /// Bin and weight, sorted by bin, which is sorted by value.
    Known(Vec<(i32, f64)>),
    /// A statistic set was published without its values (Amazon CloudWatch User Guide, "Percentiles").
    Lost,
}

impl Samples {
    /// `count` measurements of the same `value`.
    pub(crate) fn of(value: f64, count: f64) -> Self {
        Self {
            count,
            sum: value * count,
            minimum: value,
            maximum: value,
            distribution: Distribution::Known(vec![(bin(value), count)]),
        }
    }

    /// A statistic set. Its percentiles are known only when all its values are the same.
    pub(crate) fn summary(count: f64, sum: f64, minimum: f64, maximum: f64) -> Self {
        let distribution = if minimum.total_cmp(&maximum).is_eq() {
            Distribution::Known(vec![(bin(minimum), count)])
        } else {
            Distribution::Lost
        };
        Self {
            count,
            sum,
            minimum,
            maximum,
            distribution,
        }
    }

    /// Counts one more measurement; the hot path of the proxy.
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        self.sum += value;
        self.minimum = self.minimum.min(value);
        self.maximum = self.maximum.max(value);
        if let Distribution::Known(bins) = &mut self.distribution {
            weigh(bins, bin(value), 1.0);
        }
    }

    /// Takes in what another stretch of time measured.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.minimum = self.minimum.min(other.minimum);
        self.maximum = self.maximum.max(other.maximum);
        match (&mut self.distribution, &other.distribution) {
            (Distribution::Known(bins), Distribution::Known(more)) => {
                for (bin, weight) in more {
                    weigh(bins, *bin, *weight);
                }
            }
            (distribution, Distribution::Lost) => *distribution = Distribution::Lost,
            (Distribution::Lost, Distribution::Known(_)) => {}
        }
    }

    pub(crate) fn average(&self) -> f64 {
        self.sum / self.count
    }

    /// The smallest value that at least `percent` % of the measurements do not exceed; `None` when the values are not known.
    pub(crate) fn percentile(&self, percent: f64) -> Option<f64> {
        let Distribution::Known(bins) = &self.distribution else {
            return None;
        };
        // The tolerance keeps 95 % of 100 measurements at the 95th, which 0.95 * 100.0 alone would miss by a rounding error.
        let rank = (percent / 100.0).mul_add(self.count, -1e-9).max(0.0);
        let mut seen = 0.0;
        let reached = bins.iter().find(|(_, weight)| {
            seen += weight;
            seen >= rank
        });
        let value = reached.or(bins.last()).map(|(bin, _)| middle(*bin))?;
        Some(value.clamp(self.minimum, self.maximum))
    }
}

fn weigh(bins: &mut Vec<(i32, f64)>, bin: i32, weight: f64) {
    match bins.binary_search_by_key(&bin, |(known, _)| *known) {
        Ok(at) => bins[at].1 += weight,
        Err(at) => bins.insert(at, (bin, weight)),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the logarithm of a finite f64 over ln 1.01 is below 80,000"
)]
fn bin(value: f64) -> i32 {
    let magnitude = value.abs();
    if magnitude == 0.0 {
        return 0;
    }
    let steps = (magnitude.ln() / GROWTH.ln() + OFFSET).ceil().max(1.0) as i32;
    if value < 0.0 { -steps } else { steps }
}

fn middle(bin: i32) -> f64 {
    if bin == 0 {
        return 0.0;
    }
    let upper = ((f64::from(bin.abs()) - OFFSET) * GROWTH.ln()).exp();
    f64::from(bin.signum()) * 2.0 * upper / (1.0 + GROWTH)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn samples(values: &[f64]) -> Samples {
        let mut all = Samples::of(values[0], 1.0);
        for value in &values[1..] {
            all.add(*value);
        }
        all
    }

    #[test]
    fn a_hundred_values_have_their_ninety_fifth_as_p95() {
        let values: Vec<f64> = (1..=100).map(f64::from).collect();
        let p95 = samples(&values).percentile(95.0).unwrap();
        assert!((p95 - 95.0).abs() / 95.0 <= 0.006, "{p95}");
    }

    #[test]
    fn a_statistic_set_with_a_spread_has_no_percentile() {
        let mut set = Samples::summary(10.0, 55.0, 1.0, 10.0);
        assert_eq!(set.percentile(50.0), None);
        set.merge(&Samples::of(3.0, 1.0));
        assert_eq!(set.percentile(50.0), None, "merging cannot bring the values back");
        assert_eq!(Samples::summary(10.0, 20.0, 2.0, 2.0).percentile(99.0), Some(2.0));
    }

    proptest! {
        #[test]
        fn a_percentile_is_within_half_a_percent_of_the_exact_one(
            mut values in prop::collection::vec(prop_oneof![-1e6..1e6f64, 0.0..0.01f64, Just(0.0)], 1..400),
            percent in 0.1..100.0f64,
        ) {
            let estimate = samples(&values).percentile(percent).unwrap();
            values.sort_by(f64::total_cmp);
            let rank = (percent / 100.0 * f64::from(u32::try_from(values.len()).unwrap()) - 1e-9).ceil().max(1.0);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is between 1 and 400")]
            let exact = values[rank as usize - 1];
            prop_assert!((estimate - exact).abs() <= exact.abs() * 0.006 + 1e-12, "{estimate} is not {exact}");
        }

        #[test]
        fn percentiles_rise_and_stay_between_the_extremes(values in prop::collection::vec(-1e3..1e3f64, 1..200), a in 0.0..100.0f64, b in 0.0..100.0f64) {
            let all = samples(&values);
            let (low, high) = (all.percentile(a.min(b)).unwrap(), all.percentile(a.max(b)).unwrap());
            prop_assert!(all.minimum <= low && low <= high && high <= all.maximum);
        }

        #[test]
        fn merging_is_the_same_as_measuring_together(left in prop::collection::vec(0.0..1e3f64, 1..100), right in prop::collection::vec(0.0..1e3f64, 1..100), percent in 0.0..100.0f64) {
            let mut merged = samples(&left);
            merged.merge(&samples(&right));
            let together = samples(&[left, right].concat());
            prop_assert_eq!(merged.percentile(percent), together.percentile(percent));
            prop_assert!((merged.sum - together.sum).abs() < 1e-6);
            prop_assert!((merged.count - together.count).abs() < f64::EPSILON);
        }
    }
}

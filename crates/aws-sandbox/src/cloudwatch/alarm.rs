//! One metric alarm: what it watches, when it fires, and how its state follows from the data. Pure.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::CloudWatchError;
use super::input::{Metric, MetricDataQuery, MetricStat, Number};

/// Everything about an alarm that somebody chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AlarmSpec {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) watched: Watched,
    /// How many of the newest periods are looked at.
    pub(crate) evaluation_periods: u32,
    /// How many of them must breach.
    pub(crate) datapoints_to_alarm: u32,
    pub(crate) threshold: f64,
    pub(crate) comparison: Comparison,
    pub(crate) missing_data: MissingData,
    pub(crate) actions: Actions,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Watched {
    Statistic(MetricStat),
    /// Metric math; the one query that returns data is the watched one.
    Expression(Vec<MetricDataQuery>),
}

/// ARNs of what AWS would notify; the sandbox only keeps them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Actions {
    pub(crate) switch: Switch,
    pub(crate) ok: Vec<String>,
    pub(crate) alarm: Vec<String>,
    pub(crate) insufficient_data: Vec<String>,
}

/// `ActionsEnabled`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Switch {
    #[default]
    On,
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Comparison {
    #[serde(rename = "GreaterThanOrEqualToThreshold")]
    AtLeast,
    #[serde(rename = "GreaterThanThreshold")]
    Above,
    #[serde(rename = "LessThanThreshold")]
    Below,
    #[serde(rename = "LessThanOrEqualToThreshold")]
    AtMost,
}

/// Amazon CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing data".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MissingData {
    Breaching,
    NotBreaching,
    Ignore,
    #[default]
    Missing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AlarmState {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "ALARM")]
    Alarm,
    #[serde(rename = "INSUFFICIENT_DATA")]
    InsufficientData,
}

/// An alarm as it is now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Alarm {
    pub(crate) spec: AlarmSpec,
    pub(crate) state: AlarmState,
    pub(crate) reason: String,
    pub(crate) reason_data: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) configured: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) updated: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) transitioned: OffsetDateTime,
}

impl AlarmSpec {
    /// An alarm on one statistic of one metric; every period looked at must breach, and missing data is missing.
    pub(crate) fn on(
        name: &str,
        metric: Metric,
        stat: &str,
        period_seconds: u32,
        evaluation_periods: u32,
        threshold: f64,
    ) -> Self {
        let watched = MetricStat {
            metric,
            period: Number(period_seconds.into()),
            stat: stat.to_owned(),
            unit: None,
        };
        Self {
            name: name.to_owned(),
            description: None,
            watched: Watched::Statistic(watched),
            evaluation_periods,
            datapoints_to_alarm: evaluation_periods,
            threshold,
            comparison: Comparison::Above,
            missing_data: MissingData::default(),
            actions: Actions::default(),
        }
    }

    /// What the state becomes. `recent` are the newest periods, oldest first, at least as many as are evaluated; `None` is missing data.
    pub(crate) fn judge(&self, current: AlarmState, recent: &[Option<f64>]) -> (AlarmState, String) {
        let real: Vec<(usize, bool)> = recent
            .iter()
            .rev()
            .enumerate()
            .filter_map(|(age, value)| Some((age + 1, self.comparison.breaches((*value)?, self.threshold))))
            .take(self.evaluation_periods as usize)
            .collect();
        let needed = self.datapoints_to_alarm as usize;
        let breaching = real.iter().filter(|(_, breaches)| *breaches).count();
        // Missing data counts only where real data does not fill the periods.
        let absent = (self.evaluation_periods as usize).saturating_sub(real.len());
        let state = if breaching >= needed {
            AlarmState::Alarm
        } else if absent == 0 {
            AlarmState::Ok
        } else {
            match self.missing_data {
                MissingData::Breaching if breaching + absent >= needed => AlarmState::Alarm,
                MissingData::Missing if real.is_empty() => AlarmState::InsufficientData,
                MissingData::Missing if breaching == real.len() => {
                    // All there is breaches: an alarm once the oldest of it is old enough, and nothing new before.
                    if real.last().is_some_and(|(age, _)| *age >= needed) {
                        AlarmState::Alarm
                    } else {
                        current
                    }
                }
                MissingData::Ignore if breaching + absent >= needed => current,
                MissingData::Breaching | MissingData::NotBreaching | MissingData::Missing | MissingData::Ignore => {
                    AlarmState::Ok
                }
            }
        };
        (state, self.reason(recent, breaching, real.len()))
    }

    fn reason(&self, recent: &[Option<f64>], breaching: usize, real: usize) -> String {
        if real == 0 {
            return format!("No datapoints were received for {} periods", recent.len());
        }
        let values: Vec<String> = recent
            .iter()
            .rev()
            .flatten()
            .take(self.evaluation_periods as usize)
            .map(f64::to_string)
            .collect();
        format!(
            "{breaching} out of the last {} datapoints [{}] were {} the threshold ({})",
            self.evaluation_periods,
            values.join(", "),
            self.comparison.words(),
            self.threshold
        )
    }

    pub(crate) fn check(&self) -> Result<(), CloudWatchError> {
        let (periods, datapoints) = (self.evaluation_periods, self.datapoints_to_alarm);
        if self.name.is_empty() || self.name.len() > 255 {
            return Err(CloudWatchError::value("The alarm name must have 1 to 255 characters."));
        }
        if periods == 0 || datapoints == 0 || datapoints > periods {
            let message = "DatapointsToAlarm must be 1 to EvaluationPeriods, which must be at least 1.";
            return Err(CloudWatchError::value(message));
        }
        Ok(())
    }
}

impl Comparison {
    pub(crate) fn breaches(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::AtLeast => value >= threshold,
            Self::Above => value > threshold,
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::AtLeast => "greater than or equal to",
            Self::Above => "greater than",
            Self::Below => "less than",
            Self::AtMost => "less than or equal to",
        }
    }
}

impl AlarmState {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(periods: u32, datapoints: u32, missing_data: MissingData) -> AlarmSpec {
        let metric = Metric {
            namespace: "N".into(),
            name: "m".into(),
            dimensions: Vec::new(),
        };
        let mut spec = AlarmSpec::on("a", metric, "Sum", 10, periods, 1.0);
        spec.datapoints_to_alarm = datapoints;
        spec.missing_data = missing_data;
        spec
    }

    /// `X` breaches, `0` does not, `-` is missing; oldest first.
    fn recent(pattern: &str) -> Vec<Option<f64>> {
        let value = |symbol| match symbol {
            'X' => Some(2.0),
            '0' => Some(0.0),
            _ => None,
        };
        pattern.chars().map(value).collect()
    }

    #[test]
    fn the_state_follows_from_real_and_missing_data() {
        use AlarmState::{Alarm, InsufficientData, Ok};
        use MissingData::{Breaching, Ignore, Missing, NotBreaching};
        // periods, datapoints, newest periods, state with missing data missing, ignored, breaching, not breaching; INSUFFICIENT_DATA before.
        let rows = [
            (3, 3, "00XXX", Alarm, Alarm, Alarm, Alarm),
            (3, 3, "0XXX0", Ok, Ok, Ok, Ok),
            (3, 3, "0-X-X", Ok, Ok, Ok, Ok),
            (3, 2, "0-X-X", Alarm, Alarm, Alarm, Alarm),
            (3, 3, "0----", Ok, Ok, Ok, Ok),
            (3, 3, "-----", InsufficientData, InsufficientData, Alarm, Ok),
            (3, 3, "-X---", Alarm, InsufficientData, Alarm, Ok),
            (3, 3, "----X", InsufficientData, InsufficientData, Alarm, Ok),
            (3, 2, "---X-", Alarm, InsufficientData, Alarm, Ok),
            (1, 1, "--X", Alarm, Alarm, Alarm, Alarm),
        ];
        for (periods, datapoints, pattern, missing, ignore, breaching, not_breaching) in rows {
            for (treatment, expected) in [
                (Missing, missing),
                (Ignore, ignore),
                (Breaching, breaching),
                (NotBreaching, not_breaching),
            ] {
                let (state, _) = spec(periods, datapoints, treatment).judge(InsufficientData, &recent(pattern));
                assert_eq!(state, expected, "{datapoints} of {periods} in {pattern}, {treatment:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn with_all_data_there_its_treatment_when_missing_does_not_matter(breaches in prop::collection::vec(any::<bool>(), 3..8), needed in 1..=3u32) {
            let values: Vec<Option<f64>> = breaches.iter().map(|breach| Some(if *breach { 2.0 } else { 0.0 })).collect();
            let newest = breaches.iter().rev().take(3).filter(|breach| **breach).count();
            let expected = if newest >= needed as usize { AlarmState::Alarm } else { AlarmState::Ok };
            for treatment in [MissingData::Missing, MissingData::Ignore, MissingData::Breaching, MissingData::NotBreaching] {
                prop_assert_eq!(spec(3, needed, treatment).judge(AlarmState::InsufficientData, &values).0, expected);
            }
        }
    }
}

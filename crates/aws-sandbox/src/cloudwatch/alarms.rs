//! The alarms of the account: the operations on them, and the loop that evaluates them against what was measured.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use time::OffsetDateTime;

use super::alarm::{Actions, Alarm, AlarmSpec, AlarmState, MissingData, Switch, Watched};
use super::data::Queries;
use super::error::CloudWatchError;
use super::input::{Dimension, Flag, Metric, MetricDataQuery, MetricStat, Number};
use super::metrics::Metrics;
use super::query::dimensions;
use super::tree::Tree;

/// By region and name.
pub(crate) type Alarms = BTreeMap<String, BTreeMap<String, Alarm>>;

/// How often the loop looks whether a period has ended.
pub(crate) const TICK: Duration = Duration::from_millis(500);
/// Beyond the periods evaluated, so many older ones may stand in for missing data: an alarm does not change its state at the first gap.
const OLDER_PERIODS: u32 = 2;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct PutMetricAlarm {
    alarm_name: String,
    alarm_description: Option<String>,
    actions_enabled: Option<Flag>,
    #[serde(default, rename = "OKActions")]
    ok_actions: Vec<String>,
    #[serde(default)]
    alarm_actions: Vec<String>,
    #[serde(default)]
    insufficient_data_actions: Vec<String>,
    metric_name: Option<String>,
    namespace: Option<String>,
    statistic: Option<String>,
    extended_statistic: Option<String>,
    #[serde(default)]
    dimensions: Vec<Dimension>,
    period: Option<Number>,
    unit: Option<String>,
    evaluation_periods: Option<Number>,
    datapoints_to_alarm: Option<Number>,
    threshold: Option<Number>,
    comparison_operator: String,
    treat_missing_data: Option<String>,
    #[serde(default)]
    metrics: Vec<MetricDataQuery>,
}

impl PutMetricAlarm {
    pub(crate) fn spec(self) -> Result<AlarmSpec, CloudWatchError> {
        let evaluation_periods = count(
            self.evaluation_periods
                .ok_or_else(|| CloudWatchError::missing("EvaluationPeriods"))?,
        )?;
        let datapoints_to_alarm = self.datapoints_to_alarm.map_or(Ok(evaluation_periods), count)?;
        let threshold = self.threshold.ok_or_else(|| CloudWatchError::missing("Threshold"))?.0;
        let comparison = word(&self.comparison_operator, "ComparisonOperator")?;
        let missing_data = self
            .treat_missing_data
            .as_deref()
            .map_or(Ok(MissingData::default()), |treatment| {
                word(treatment, "TreatMissingData")
            })?;
        let switch = if self.actions_enabled.is_none_or(|enabled| enabled.0) {
            Switch::On
        } else {
            Switch::Off
        };
        let actions = Actions {
            switch,
            ok: self.ok_actions,
            alarm: self.alarm_actions,
            insufficient_data: self.insufficient_data_actions,
        };
        let watched = match (self.metric_name, self.metrics.is_empty()) {
            (Some(name), true) => {
                let namespace = self.namespace.ok_or_else(|| CloudWatchError::missing("Namespace"))?;
                let stat = self
                    .statistic
                    .or(self.extended_statistic)
                    .ok_or_else(|| CloudWatchError::missing("Statistic"))?;
                let period = self.period.ok_or_else(|| CloudWatchError::missing("Period"))?;
                let metric = Metric {
                    namespace,
                    name,
                    dimensions: self.dimensions,
                };
                Watched::Statistic(MetricStat {
                    metric,
                    period,
                    stat,
                    unit: self.unit,
                })
            }
            (None, false) => Watched::Expression(self.metrics),
            (Some(_), false) | (None, true) => {
                return Err(CloudWatchError::combination(
                    "An alarm has either a MetricName or Metrics.",
                ));
            }
        };
        let spec = AlarmSpec {
            name: self.alarm_name,
            description: self.alarm_description,
            watched,
            evaluation_periods,
            datapoints_to_alarm,
            threshold,
            comparison,
            missing_data,
            actions,
        };
        spec.check()?;
        Ok(spec)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AlarmNames {
    #[serde(default)]
    pub(crate) alarm_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct DescribeAlarms {
    #[serde(default)]
    alarm_names: Vec<String>,
    alarm_name_prefix: Option<String>,
    state_value: Option<String>,
    max_records: Option<Number>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SetAlarmState {
    alarm_name: String,
    state_value: String,
    state_reason: String,
    state_reason_data: Option<String>,
}

/// Creates or replaces an alarm. An existing one keeps its state (Amazon CloudWatch API Reference, `PutMetricAlarm`).
pub(crate) fn put(alarms: &mut Alarms, region: &str, spec: AlarmSpec) -> Result<(), CloudWatchError> {
    watched(region, &spec)?;
    let now = OffsetDateTime::now_utc();
    let region = alarms.entry(region.to_owned()).or_default();
    if let Some(alarm) = region.get_mut(&spec.name) {
        alarm.spec = spec;
        alarm.configured = now;
        return Ok(());
    }
    let alarm = Alarm {
        state: AlarmState::InsufficientData,
        reason: "Unchecked: Initial alarm creation".to_owned(),
        reason_data: None,
        configured: now,
        updated: now,
        transitioned: now,
        spec: spec.clone(),
    };
    region.insert(spec.name, alarm);
    Ok(())
}

pub(crate) fn describe(
    alarms: &Alarms,
    account: &str,
    region: &str,
    input: &DescribeAlarms,
) -> Result<Tree, CloudWatchError> {
    let state: Option<AlarmState> = input
        .state_value
        .as_deref()
        .map(|state| word(state, "StateValue"))
        .transpose()?;
    let limit = input.max_records.map_or(Ok(50), count)?.clamp(1, 100) as usize;
    let after = input.next_token.as_deref().unwrap_or_default();
    let mut wanted = alarms.get(region).into_iter().flatten().filter(|(name, alarm)| {
        name.as_str() > after
            && (input.alarm_names.is_empty() || input.alarm_names.contains(name))
            && input
                .alarm_name_prefix
                .as_ref()
                .is_none_or(|prefix| name.starts_with(prefix))
            && state.is_none_or(|state| alarm.state == state)
    });
    let page: Vec<&Alarm> = wanted.by_ref().take(limit).map(|(_, alarm)| alarm).collect();
    let next = wanted.next().and(page.last()).map(|alarm| &alarm.spec.name);
    let mut fields = vec![
        ("CompositeAlarms", Tree::List(Vec::new())),
        (
            "MetricAlarms",
            Tree::List(page.iter().map(|alarm| described(alarm, account, region)).collect()),
        ),
    ];
    fields.extend(next.map(|name| ("NextToken", name.into())));
    Ok(Tree::Fields(fields))
}

pub(crate) fn delete(alarms: &mut Alarms, region: &str, input: &AlarmNames) -> Result<(), CloudWatchError> {
    let known = alarms.entry(region.to_owned()).or_default();
    // Of several names, all must exist, and none is deleted otherwise (Amazon CloudWatch API Reference, `DeleteAlarms`).
    if let Some(name) = input.alarm_names.iter().find(|name| !known.contains_key(*name)) {
        return Err(CloudWatchError::not_found(format!("There is no alarm {name}.")));
    }
    known.retain(|name, _| !input.alarm_names.contains(name));
    Ok(())
}

/// Lasts until the alarm's next period ends, when the data decides again.
pub(crate) fn set_state(alarms: &mut Alarms, region: &str, input: SetAlarmState) -> Result<(), CloudWatchError> {
    let state = word(&input.state_value, "StateValue")?;
    let alarm = alarms
        .get_mut(region)
        .and_then(|region| region.get_mut(&input.alarm_name));
    let alarm = alarm.ok_or_else(|| CloudWatchError::not_found(format!("There is no alarm {}.", input.alarm_name)))?;
    alarm.become_state(state, input.state_reason);
    alarm.reason_data = input.state_reason_data;
    Ok(())
}

pub(crate) fn switch_actions(alarms: &mut Alarms, region: &str, input: &AlarmNames, switch: Switch) {
    for (name, alarm) in alarms.entry(region.to_owned()).or_default() {
        if input.alarm_names.contains(name) {
            alarm.spec.actions.switch = switch;
        }
    }
}

/// Which period of an alarm was judged last, by region and name. Not remembered across a restart.
pub(crate) type Judged = BTreeMap<(String, String), i64>;

/// What `alarm` should become now, unless its newest complete period was judged already.
pub(crate) fn due(
    metrics: &Metrics,
    judged: &mut Judged,
    region: &str,
    alarm: &Alarm,
    now: i64,
) -> Option<(AlarmState, String)> {
    let (queries, id) = watched(region, &alarm.spec).ok()?;
    let period = queries.period;
    let end = now.div_euclid(period) * period;
    let seen = judged.insert((region.to_owned(), alarm.spec.name.clone()), end);
    if seen == Some(end) {
        return None;
    }
    let periods = i64::from(alarm.spec.evaluation_periods + OLDER_PERIODS);
    let series = queries.series(metrics, &id, end - periods * period, end).ok()?;
    let recent: Vec<Option<f64>> = (1..=periods)
        .rev()
        .map(|age| series.get(&(end - age * period)).copied())
        .collect();
    Some(alarm.spec.judge(alarm.state, &recent))
}

/// The queries behind an alarm, and which of them it watches.
fn watched(region: &str, spec: &AlarmSpec) -> Result<(Queries, String), CloudWatchError> {
    match &spec.watched {
        Watched::Statistic(stat) => {
            let query = MetricDataQuery {
                id: "watched".to_owned(),
                metric_stat: Some(stat.clone()),
                expression: None,
                label: None,
                return_data: None,
                period: None,
            };
            Ok((Queries::read(region, &[query])?, "watched".to_owned()))
        }
        Watched::Expression(queries) => {
            let read = Queries::read(region, queries)?;
            let mut returning = queries.iter().filter(|query| query.returns_data());
            match (returning.next(), returning.next()) {
                (Some(query), None) => {
                    // An expression that cannot be evaluated at all is refused now, not every period.
                    read.series(&Metrics::default(), &query.id, 0, 1)?;
                    Ok((read, query.id.clone()))
                }
                (None, _) | (_, Some(_)) => Err(CloudWatchError::validation(
                    "Exactly one element of the metrics list should return data.",
                )),
            }
        }
    }
}

impl Alarm {
    pub(crate) fn become_state(&mut self, state: AlarmState, reason: String) {
        let now = OffsetDateTime::now_utc();
        if state != self.state {
            self.transitioned = now;
        }
        self.state = state;
        self.reason = reason;
        self.reason_data = None;
        self.updated = now;
    }
}

fn described(alarm: &Alarm, account: &str, region: &str) -> Tree {
    let spec = &alarm.spec;
    let time = |at: OffsetDateTime| Tree::Time(crate::wire::json::epoch_seconds(at));
    let mut fields = vec![
        ("AlarmName", Tree::from(&spec.name)),
        (
            "AlarmArn",
            format!("arn:aws:cloudwatch:{region}:{account}:alarm:{}", spec.name).into(),
        ),
        ("AlarmConfigurationUpdatedTimestamp", time(alarm.configured)),
        ("ActionsEnabled", (spec.actions.switch == Switch::On).into()),
        ("OKActions", Tree::list(&spec.actions.ok)),
        ("AlarmActions", Tree::list(&spec.actions.alarm)),
        ("InsufficientDataActions", Tree::list(&spec.actions.insufficient_data)),
        ("StateValue", alarm.state.name().into()),
        ("StateReason", (&alarm.reason).into()),
        ("StateUpdatedTimestamp", time(alarm.updated)),
        ("StateTransitionedTimestamp", time(alarm.transitioned)),
        ("EvaluationPeriods", spec.evaluation_periods.into()),
        ("DatapointsToAlarm", spec.datapoints_to_alarm.into()),
        ("Threshold", spec.threshold.into()),
        ("ComparisonOperator", name_of(&spec.comparison).into()),
        ("TreatMissingData", name_of(&spec.missing_data).into()),
    ];
    fields.extend(spec.description.as_ref().map(|text| ("AlarmDescription", text.into())));
    fields.extend(alarm.reason_data.as_ref().map(|text| ("StateReasonData", text.into())));
    match &spec.watched {
        Watched::Statistic(stat) => fields.extend(statistic_fields(stat)),
        Watched::Expression(queries) => {
            fields.push(("Metrics", Tree::List(queries.iter().map(query_fields).collect())));
            fields.push(("Dimensions", Tree::List(Vec::new())));
        }
    }
    Tree::Fields(fields)
}

fn statistic_fields(stat: &MetricStat) -> Vec<(&'static str, Tree)> {
    let extended = stat.stat.starts_with('p');
    let mut fields = metric_fields(&stat.metric);
    fields.push((
        if extended { "ExtendedStatistic" } else { "Statistic" },
        (&stat.stat).into(),
    ));
    fields.push(("Period", whole(stat.period)));
    fields.extend(stat.unit.as_ref().map(|unit| ("Unit", unit.into())));
    fields
}

fn metric_fields(metric: &Metric) -> Vec<(&'static str, Tree)> {
    let pairs = metric
        .dimensions
        .iter()
        .map(|dimension| (dimension.name.as_str(), dimension.value.as_str()));
    vec![
        ("Namespace", (&metric.namespace).into()),
        ("MetricName", (&metric.name).into()),
        ("Dimensions", dimensions(pairs)),
    ]
}

fn query_fields(query: &MetricDataQuery) -> Tree {
    let mut fields = vec![
        ("Id", Tree::from(&query.id)),
        ("ReturnData", query.returns_data().into()),
    ];
    fields.extend(
        query
            .expression
            .as_ref()
            .map(|expression| ("Expression", expression.into())),
    );
    fields.extend(query.label.as_ref().map(|label| ("Label", label.into())));
    fields.extend(query.period.map(|period| ("Period", whole(period))));
    if let Some(stat) = &query.metric_stat {
        let mut inner = vec![
            ("Metric", Tree::Fields(metric_fields(&stat.metric))),
            ("Period", whole(stat.period)),
            ("Stat", (&stat.stat).into()),
        ];
        inner.extend(stat.unit.as_ref().map(|unit| ("Unit", unit.into())));
        fields.push(("MetricStat", Tree::Fields(inner)));
    }
    Tree::Fields(fields)
}

#[expect(clippy::cast_possible_truncation, reason = "periods are checked to be at most a day")]
fn whole(number: Number) -> Tree {
    Tree::Integer(number.0 as i64)
}

fn count(number: Number) -> Result<u32, CloudWatchError> {
    let whole = number.0.fract() == 0.0 && (0.0..=100_000.0).contains(&number.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole, positive and small"
    )]
    if whole {
        Ok(number.0 as u32)
    } else {
        Err(CloudWatchError::value(format!("{} is not a count.", number.0)))
    }
}

/// A word of the API as one of our enums, whose serde names are AWS's words.
fn word<T: serde::de::DeserializeOwned>(word: &str, parameter: &str) -> Result<T, CloudWatchError> {
    serde_json::from_value(word.into()).map_err(|cause| CloudWatchError::value(format!("{parameter}: {cause}")))
}

fn name_of(word: &impl serde::Serialize) -> String {
    serde_json::to_value(word)
        .ok()
        .and_then(|name| name.as_str().map(str::to_owned))
        .unwrap_or_default()
}

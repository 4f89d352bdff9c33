//! Amazon CloudWatch: the metrics the data plane produces, the queries over them and the alarms that watch them.
//!
//! Owns the numbers; never invents one: a second in which nothing was recorded has no data point. Alarms change their
//! state and nothing else: the ARNs of their actions are kept and never called.

mod alarm;
mod alarms;
mod data;
mod error;
mod input;
mod math;
mod math_parser;
mod metrics;
mod protocol;
mod query;
mod samples;
mod statistic;
mod tree;
mod unit;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;

pub(crate) use alarm::{AlarmSpec, AlarmState};
pub(crate) use error::CloudWatchError;
pub(crate) use input::{Dimension, Metric};
pub(crate) use metrics::Metrics;
#[cfg(test)]
pub(crate) use metrics::SeriesKey;
pub(crate) use unit::Unit;

use alarm::Switch;
use alarms::{Alarms, Judged};
use protocol::Protocol;
use tree::Tree;

use crate::front::call::{Call, Reply};
use crate::front::persist::{PersistError, Persisted, StateDir};

/// The service.
pub(crate) struct CloudWatch {
    account: String,
    metrics: Arc<Metrics>,
    alarms: Persisted<Alarms>,
    judged: Mutex<Judged>,
}

impl CloudWatch {
    pub(crate) fn open(dir: &StateDir, account: &str, metrics: Arc<Metrics>) -> Result<Self, PersistError> {
        let alarms = Persisted::open(dir, "alarms")?;
        Ok(Self {
            account: account.to_owned(),
            metrics,
            alarms,
            judged: Mutex::default(),
        })
    }

    /// Answers one call in the protocol it came in.
    pub(crate) fn answer(&self, call: &Call) -> Reply {
        let protocol = Protocol::of(call);
        match self.perform(call, protocol) {
            Ok(output) => protocol.answer(call, &output),
            Err(error) => protocol.refuse(call, &error),
        }
    }

    /// Creates or replaces an alarm, as `PutMetricAlarm` does.
    pub(crate) fn put_alarm(&self, region: &str, spec: AlarmSpec) -> Result<(), CloudWatchError> {
        spec.check()?;
        self.alarms.write(|alarms| alarms::put(alarms, region, spec))
    }

    /// `None` when there is no such alarm.
    pub(crate) fn alarm_state(&self, region: &str, name: &str) -> Option<AlarmState> {
        self.alarms.read(|alarms| Some(alarms.get(region)?.get(name)?.state))
    }

    /// Judges every alarm whenever one of its periods has ended.
    pub(crate) async fn evaluate_forever(&self) {
        let mut ticks = tokio::time::interval(alarms::TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.evaluate(OffsetDateTime::now_utc().unix_timestamp());
        }
    }

    fn evaluate(&self, now: i64) {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let verdicts: Vec<_> = self.alarms.read(|alarms| {
            let all = alarms
                .iter()
                .flat_map(|(region, alarms)| alarms.values().map(move |alarm| (region, alarm)));
            all.filter_map(|(region, alarm)| {
                let (state, reason) = alarms::due(&self.metrics, &mut judged, region, alarm, now)?;
                let changes = state != alarm.state || reason != alarm.reason;
                changes.then(|| (region.clone(), alarm.spec.name.clone(), state, reason))
            })
            .collect()
        });
        if verdicts.is_empty() {
            return;
        }
        self.alarms.write(|alarms| {
            for (region, name, state, reason) in verdicts {
                if let Some(alarm) = alarms.get_mut(&region).and_then(|alarms| alarms.get_mut(&name)) {
                    if alarm.state != state {
                        tracing::info!(alarm = %name, from = alarm.state.name(), to = state.name(), %reason, "alarm");
                    }
                    alarm.become_state(state, reason);
                }
            }
        });
    }

    fn perform(&self, call: &Call, protocol: Protocol) -> Result<Tree, CloudWatchError> {
        let (metrics, region) = (&*self.metrics, call.region.as_str());
        let nothing = Tree::Fields(Vec::new());
        match call.operation.as_str() {
            "GetMetricData" => query::get_data(metrics, region, &protocol.input(call)?),
            "GetMetricStatistics" => query::get_statistics(metrics, region, &protocol.input(call)?),
            "ListMetrics" => query::list(metrics, region, &protocol.input(call)?),
            "PutMetricData" => query::publish(metrics, region, &protocol.input(call)?),
            "PutMetricAlarm" => {
                let spec = protocol.input::<alarms::PutMetricAlarm>(call)?.spec()?;
                self.put_alarm(region, spec).map(|()| nothing)
            }
            "DescribeAlarms" => {
                let input = protocol.input(call)?;
                self.alarms
                    .read(|alarms| alarms::describe(alarms, &self.account, region, &input))
            }
            "DeleteAlarms" => {
                let input = protocol.input(call)?;
                self.alarms
                    .write(|alarms| alarms::delete(alarms, region, &input))
                    .map(|()| nothing)
            }
            "SetAlarmState" => {
                let input = protocol.input(call)?;
                self.alarms
                    .write(|alarms| alarms::set_state(alarms, region, input))
                    .map(|()| nothing)
            }
            "EnableAlarmActions" | "DisableAlarmActions" => {
                let input = protocol.input(call)?;
                let switch = if call.operation == "EnableAlarmActions" {
                    Switch::On
                } else {
                    Switch::Off
                };
                self.alarms
                    .write(|alarms| alarms::switch_actions(alarms, region, &input, switch));
                Ok(nothing)
            }
            operation => Err(CloudWatchError::unknown_operation(operation)),
        }
    }
}

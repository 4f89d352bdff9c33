//! The state of the alarms that an environment names.

use aws_sdk_cloudwatch::types::StateValue;
use tt_environment::AlarmName;
use tt_execute::PortError;
use tt_plan::{Alarm, AlarmState};

use crate::{clients::Clients, error::failed};

pub(crate) async fn alarms(clients: &Clients, names: &[AlarmName]) -> Result<Vec<Alarm>, PortError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let answer = clients
        .cloudwatch
        .describe_alarms()
        .set_alarm_names(Some(names.iter().map(ToString::to_string).collect()))
        .send()
        .await
        .map_err(failed("read the alarms"))?;
    let state = |name: &AlarmName| {
        let found = answer
            .metric_alarms()
            .iter()
            .find(|alarm| alarm.alarm_name() == Some(name.as_str()));
        let Some(found) = found else { return AlarmState::Missing };
        match found.state_value() {
            Some(StateValue::Alarm) => AlarmState::Firing {
                reason: found.state_reason().unwrap_or("no reason given").to_owned(),
            },
            Some(StateValue::Ok) => AlarmState::Ok,
            Some(_) | None => AlarmState::InsufficientData,
        }
    };
    Ok(names
        .iter()
        .map(|name| Alarm {
            name: name.clone(),
            state: state(name),
        })
        .collect())
}

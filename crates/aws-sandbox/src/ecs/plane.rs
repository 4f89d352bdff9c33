//! The parts of the sandbox that give ECS its effects: processes, images, load balancers, logs, secrets, metrics, alarms.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::cloudwatch::{AlarmState, CloudWatch, Metrics};
use crate::elb::{Elb, Target, TargetState};
use crate::logs::Logs;
use crate::registry::Registry;
use crate::runtime::Runtime;
use crate::secrets::Secrets;

/// Everything a task or a deployment can have an effect on.
#[derive(Clone)]
pub(crate) struct Plane {
    pub(crate) runtime: Arc<Runtime>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) elb: Arc<Elb>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) cloudwatch: Arc<CloudWatch>,
    /// What a task is told about where AWS is: the counterpart of the endpoints and role credentials it has on Fargate.
    pub(crate) endpoint: String,
}

/// The states of the targets of some groups, read once a turn.
#[derive(Debug, Default)]
pub(crate) struct TargetStates(HashMap<String, Vec<(Target, TargetState)>>);

impl Plane {
    pub(crate) fn firing(&self, region: &str, alarms: &[String]) -> Vec<String> {
        let fires = |name: &&String| self.cloudwatch.alarm_state(region, name) == Some(AlarmState::Alarm);
        alarms.iter().filter(fires).cloned().collect()
    }
}

impl TargetStates {
    /// The state of one target; nothing when the group does not know it.
    pub(crate) fn of(&mut self, elb: &Elb, group: &str, ip: Ipv4Addr, port: u16) -> Option<&TargetState> {
        let read = || elb.health(group);
        let group = self.0.entry(group.to_owned()).or_insert_with(read);
        group
            .iter()
            .find(|(target, _)| *target == Target { ip, port })
            .map(|(_, state)| state)
    }
}

//! The state of a target as `DescribeTargetHealth` tells it: registration and health together
//! (Elastic Load Balancing, "Health checks for your target groups").

use super::health::{Condition, Failure};
use super::model::{Registration, Target};
use super::{Elb, ElbError};

/// One of the states AWS knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetState {
    /// Registered, its first checks are running.
    Initial,
    Healthy,
    Unhealthy {
        reason: Failure,
    },
    /// Deregistered, requests in flight may finish.
    Draining,
    /// No listener uses the group, so nobody checks.
    Unused,
    /// Not in the group at all; AWS calls this `unused` too.
    NotRegistered,
}

impl TargetState {
    /// AWS's word for the state.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy { .. } => "unhealthy",
            Self::Draining => "draining",
            Self::Unused | Self::NotRegistered => "unused",
        }
    }

    /// AWS's reason code; a healthy target has none.
    pub(crate) fn reason(self) -> Option<&'static str> {
        match self {
            Self::Initial => Some("Elb.InitialHealthChecking"),
            Self::Healthy => None,
            Self::Unhealthy {
                reason: Failure::Mismatch(_),
            } => Some("Target.ResponseCodeMismatch"),
            Self::Unhealthy {
                reason: Failure::Timeout,
            } => Some("Target.Timeout"),
            Self::Unhealthy {
                reason: Failure::NoConnection,
            } => Some("Target.FailedHealthChecks"),
            Self::Draining => Some("Target.DeregistrationInProgress"),
            Self::Unused => Some("Target.NotInUse"),
            Self::NotRegistered => Some("Target.NotRegistered"),
        }
    }

    /// The reason in words, as AWS writes it.
    pub(crate) fn description(self) -> Option<String> {
        match self {
            Self::Initial => Some(String::from("Initial health checks in progress")),
            Self::Healthy => None,
            Self::Unhealthy {
                reason: Failure::Mismatch(code),
            } => Some(format!("Health checks failed with these codes: [{code}]")),
            Self::Unhealthy {
                reason: Failure::Timeout,
            } => Some(String::from("Request timed out")),
            Self::Unhealthy {
                reason: Failure::NoConnection,
            } => Some(String::from("Health checks failed")),
            Self::Draining => Some(String::from("Target deregistration is in progress")),
            Self::Unused => Some(String::from(
                "Target group is not configured to receive traffic from the load balancer",
            )),
            Self::NotRegistered => Some(String::from("Target is not registered to the target group")),
        }
    }
}

impl Elb {
    /// Every target of a group, draining ones included; nothing for an absent group.
    pub(crate) fn health(&self, group: &str) -> Vec<(Target, TargetState)> {
        self.target_states(group).unwrap_or_default()
    }

    pub(super) fn target_states(&self, group: &str) -> Result<Vec<(Target, TargetState)>, ElbError> {
        let live = self.lock();
        self.model.read(|model| {
            let unused = model.balancers_of(group).is_empty();
            let state = |(target, registration): &(Target, Registration)| {
                let state = match registration {
                    Registration::Draining { .. } => TargetState::Draining,
                    Registration::Registered if unused => TargetState::Unused,
                    Registration::Registered => match live.checks.condition(group, *target) {
                        None | Some(Condition::Initial) => TargetState::Initial,
                        Some(Condition::Healthy) => TargetState::Healthy,
                        Some(Condition::Unhealthy(reason)) => TargetState::Unhealthy { reason },
                    },
                };
                (*target, state)
            };
            Ok(model.group(group)?.targets.iter().map(state).collect())
        })
    }
}

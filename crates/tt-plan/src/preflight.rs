//! What must hold before users are touched. `verify` shows each finding; `deploy` refuses on the same ones.

use tt_environment::Environment;

use crate::{
    observed::{AlarmState, Caller, Observed},
    record::{Outcome, Record},
    refusal::Refusal,
};

/// Something that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The caller's account.
    Identity,
    /// Two target groups, a production rule, a test rule.
    Routes,
    /// Listener rules are not sticky.
    Stickiness,
    /// Roles that ECS needs.
    Roles,
    /// Secrets exist.
    Secrets,
    /// Alarms exist and are quiet.
    Alarms,
    /// No freeze.
    Freeze,
    /// What runs is what was deployed last.
    Drift,
}

impl Check {
    /// One word for tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Routes => "routes",
            Self::Stickiness => "stickiness",
            Self::Roles => "roles",
            Self::Secrets => "secrets",
            Self::Alarms => "alarms",
            Self::Freeze => "freeze",
            Self::Drift => "drift",
        }
    }
}

/// A check with everything that speaks against going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub check: Check,
    /// Empty when all is well.
    pub refusals: Vec<Refusal>,
}

/// Looks at everything, in the order of the report.
pub fn preflight(environment: &Environment, observed: &Observed) -> Vec<Finding> {
    let finding = |check, refusals| Finding { check, refusals };
    vec![
        finding(Check::Identity, identity(environment, observed)),
        finding(Check::Routes, routes(observed)),
        finding(Check::Stickiness, stickiness(observed)),
        finding(
            Check::Roles,
            observed
                .service
                .missing_roles
                .iter()
                .map(|role| Refusal::MissingRole { role })
                .collect(),
        ),
        finding(
            Check::Secrets,
            observed
                .missing_secrets
                .iter()
                .cloned()
                .map(|secret| Refusal::UnknownSecret { secret })
                .collect(),
        ),
        finding(Check::Alarms, alarms(observed)),
        finding(Check::Freeze, freeze(environment, observed)),
        finding(Check::Drift, drift(observed)),
    ]
}

pub(crate) fn identity(environment: &Environment, observed: &Observed) -> Vec<Refusal> {
    account(environment, &observed.caller)
}

/// Whether the credentials are those of the account that the environment names.
pub(crate) fn account(environment: &Environment, caller: &Caller) -> Vec<Refusal> {
    let (expected, actual) = (&environment.aws.account, &caller.account);
    if expected == actual {
        Vec::new()
    } else {
        vec![Refusal::WrongAccount {
            expected: expected.clone(),
            actual: actual.clone(),
        }]
    }
}

fn routes(observed: &Observed) -> Vec<Refusal> {
    let traffic = &observed.service.traffic;
    let mut refusals = Vec::new();
    if traffic.production.is_none() {
        refusals.push(Refusal::NotBlueGreen {
            what: "production listener rule",
        });
    }
    if traffic.groups.len() < 2 {
        refusals.push(Refusal::NotBlueGreen {
            what: "alternate target group",
        });
    }
    refusals
}

fn stickiness(observed: &Observed) -> Vec<Refusal> {
    let traffic = &observed.service.traffic;
    [&traffic.production, &traffic.test]
        .into_iter()
        .flatten()
        .filter(|route| route.sticky)
        .map(|route| Refusal::Sticky {
            rule: route.rule.clone(),
        })
        .collect()
}

fn alarms(observed: &Observed) -> Vec<Refusal> {
    let refusal = |alarm: &crate::Alarm| match &alarm.state {
        AlarmState::Ok | AlarmState::InsufficientData => None,
        AlarmState::Firing { reason } => Some(Refusal::AlarmFiring {
            alarm: alarm.name.clone(),
            reason: reason.clone(),
        }),
        AlarmState::Missing => Some(Refusal::AlarmMissing {
            alarm: alarm.name.clone(),
        }),
    };
    observed.alarms.iter().filter_map(refusal).collect()
}

fn freeze(environment: &Environment, observed: &Observed) -> Vec<Refusal> {
    let within = |freeze: &&tt_environment::Freeze| (freeze.from..freeze.until).contains(&observed.at);
    environment
        .freeze
        .iter()
        .filter(within)
        .map(|freeze| Refusal::Frozen {
            until: freeze.until,
            reason: freeze.reason.clone(),
        })
        .collect()
}

/// Compares what serves with what the newest run that changed it left behind. Without any record there is nothing to compare.
fn drift(observed: &Observed) -> Vec<Refusal> {
    if observed.service.deployment.is_some() {
        return Vec::new();
    }
    let Some(last) = observed.deploys().find_map(left_behind) else {
        return Vec::new();
    };
    let live = &observed.service.live;
    if *last == live.task_definition {
        return Vec::new();
    }
    vec![Refusal::Drift {
        live: live.label(),
        recorded: last.short().to_owned(),
    }]
}

/// The task definition that a run left users on; nothing when the record cannot tell (its process died, or ECS went on without it).
fn left_behind(record: &Record) -> Option<&crate::Arn> {
    match &record.outcome {
        Outcome::Done => record.task_definition.as_ref(),
        Outcome::RolledBack { .. } | Outcome::Failed { .. } => record.previous.as_ref(),
        Outcome::Running | Outcome::Shifted | Outcome::Interrupted { .. } | Outcome::Paused { .. } => None,
    }
}

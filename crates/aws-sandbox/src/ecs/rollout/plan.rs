//! What one deployment was asked to do, with its durations already on the sandbox's clock.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::breaker::Breaker;
use super::hook::HookAction;
use super::rolling::Limits;
use super::stage::Stage;

/// Fixed when the deployment starts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Makes hook ids that no other deployment has.
    pub(crate) deployment_id: String,
    pub(crate) strategy: Strategy,
    pub(crate) pauses: Vec<PauseHook>,
    /// How long both revisions run after the last shift.
    pub(crate) bake: Duration,
    pub(crate) breaker: Breaker,
    pub(crate) alarms: AlarmWatch,
    pub(crate) source: SourceScale,
}

/// How the target takes over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Strategy {
    Rolling(Limits),
    /// `BLUE_GREEN` is one step of 100 %, `CANARY` two, `LINEAR` as many as its percentage needs.
    Shifting {
        steps: Vec<Step>,
    },
}

/// One shift of production traffic.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The target's percentage after it.
    pub(crate) percent: f64,
    /// How long it is held before the next.
    pub(crate) bake: Duration,
}

/// Whether the source has tasks to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SourceScale {
    /// It had none when the deployment started (or there is no source), so it keeps none.
    None,
    /// It follows the desired count until it is cleaned up.
    Desired,
}

/// A configured PAUSE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PauseHook {
    pub(crate) stages: Vec<Stage>,
    pub(crate) timeout: Duration,
    pub(crate) on_timeout: HookAction,
}

/// What happens when a deployment fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum OnFailure {
    RollBack,
    Stop,
}

/// The CloudWatch alarms of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum AlarmWatch {
    Off,
    /// Alarms already in ALARM when it starts are ignored (Amazon ECS Developer Guide, "How CloudWatch alarms detect
    /// Amazon ECS deployment failures").
    On {
        names: Vec<String>,
        ignored: Vec<String>,
        then: OnFailure,
    },
}

impl Strategy {
    pub(super) fn as_rolling(&self) -> Option<&Limits> {
        match self {
            Self::Rolling(limits) => Some(limits),
            Self::Shifting { .. } => None,
        }
    }

    pub(crate) fn rolling(minimum_healthy_percent: u32, maximum_percent: u32) -> Self {
        Self::Rolling(Limits {
            minimum_healthy_percent,
            maximum_percent,
        })
    }

    pub(crate) fn all_at_once() -> Self {
        Self::Shifting {
            steps: vec![Step {
                percent: 100.0,
                bake: Duration::ZERO,
            }],
        }
    }

    pub(crate) fn canary(percent: f64, bake: Duration) -> Self {
        Self::Shifting {
            steps: vec![
                Step { percent, bake },
                Step {
                    percent: 100.0,
                    bake: Duration::ZERO,
                },
            ],
        }
    }

    /// Equal steps; the last one is whatever is left to 100 %.
    pub(crate) fn linear(percent: f64, bake: Duration) -> Self {
        let mut steps = Vec::new();
        let mut share = percent;
        // Steps are at least 3 %, so there are at most 34.
        while share < 100.0 && percent > 0.0 {
            steps.push(Step { percent: share, bake });
            share += percent;
        }
        steps.push(Step {
            percent: 100.0,
            bake: Duration::ZERO,
        });
        Self::Shifting { steps }
    }
}

impl AlarmWatch {
    pub(super) fn triggered(&self, firing: &[String]) -> Option<(Vec<String>, OnFailure)> {
        match self {
            Self::Off => None,
            Self::On { names, ignored, then } => {
                let fresh: Vec<String> = firing
                    .iter()
                    .filter(|name| names.contains(name) && !ignored.contains(name))
                    .cloned()
                    .collect();
                (!fresh.is_empty()).then_some((fresh, *then))
            }
        }
    }

    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Off => &[],
            Self::On { names, .. } => names,
        }
    }
}

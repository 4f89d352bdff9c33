//! The lifecycle stages: their order, what each waits for, and the record of when each was entered and left.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::hook::Hook;
use super::{End, Facts, Phase, Rollout, Strategy};

/// A stage of a service deployment, in the order of their happening.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum Stage {
    ReconcileService,
    PreScaleUp,
    ScaleUp,
    PostScaleUp,
    TestTrafficShift,
    PostTestTrafficShift,
    PreProductionTrafficShift,
    ProductionTrafficShift,
    PostProductionTrafficShift,
    BakeTime,
    CleanUp,
}

/// When a stage was entered and left. A linear or canary deployment meets the production stages once a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StageRecord {
    pub(crate) stage: Stage,
    pub(crate) direction: Direction,
    pub(crate) entered: OffsetDateTime,
    pub(crate) left: Option<OffsetDateTime>,
    /// How long only a pause held it.
    pub(crate) held_ms: u64,
}

/// Towards the target or back to the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Forward,
    Back,
}

impl Stage {
    pub(crate) const ALL: [Self; 11] = [
        Self::ReconcileService,
        Self::PreScaleUp,
        Self::ScaleUp,
        Self::PostScaleUp,
        Self::TestTrafficShift,
        Self::PostTestTrafficShift,
        Self::PreProductionTrafficShift,
        Self::ProductionTrafficShift,
        Self::PostProductionTrafficShift,
        Self::BakeTime,
        Self::CleanUp,
    ];

    /// As the API writes it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.as_str() == text)
    }

    /// Pauses are refused at the two shifts, which only Lambda functions may hook, and no hook exists for scaling,
    /// baking and cleaning up (Amazon ECS API Reference, `DeploymentLifecycleHook`).
    pub(crate) fn takes_pauses(self) -> bool {
        match self {
            Self::ReconcileService
            | Self::PreScaleUp
            | Self::PostScaleUp
            | Self::PostTestTrafficShift
            | Self::PreProductionTrafficShift
            | Self::PostProductionTrafficShift => true,
            Self::ScaleUp | Self::TestTrafficShift | Self::ProductionTrafficShift | Self::BakeTime | Self::CleanUp => {
                false
            }
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Rollout {
    /// What follows a stage once nothing holds it. No traffic is shifted to a target that is not healthy as a whole.
    pub(super) fn next_stage(
        &self,
        stage: Stage,
        shifts: usize,
        since: OffsetDateTime,
        facts: &Facts,
    ) -> Option<Phase> {
        if self.hooks.iter().any(Hook::is_waiting) {
            return None;
        }
        let go = |stage| {
            Some(Phase::Forward {
                stage,
                shifts,
                since: facts.now,
            })
        };
        let healthy = facts.target.healthy >= facts.desired;
        let passed = |wait| facts.now - since >= wait;
        match stage {
            Stage::ReconcileService if facts.others.present == 0 => go(Stage::PreScaleUp),
            Stage::PreScaleUp => go(Stage::ScaleUp),
            Stage::ScaleUp if healthy => go(Stage::PostScaleUp),
            Stage::PostScaleUp => go(Stage::TestTrafficShift),
            Stage::TestTrafficShift => go(Stage::PostTestTrafficShift),
            Stage::PostTestTrafficShift => go(Stage::PreProductionTrafficShift),
            Stage::PreProductionTrafficShift if healthy => Some(Phase::Forward {
                stage: Stage::ProductionTrafficShift,
                shifts: shifts + 1,
                since: facts.now,
            }),
            Stage::ProductionTrafficShift => match self.steps_done(shifts) {
                StepsDone::All => go(Stage::PostProductionTrafficShift),
                StepsDone::Some { bake } if passed(bake) => go(Stage::PreProductionTrafficShift),
                StepsDone::Some { .. } => None,
            },
            Stage::PostProductionTrafficShift => go(Stage::BakeTime),
            Stage::BakeTime if passed(self.plan.bake) => go(Stage::CleanUp),
            Stage::CleanUp if facts.source.present == 0 && facts.others.present == 0 => Some(Phase::Ended {
                end: End::Successful,
                at: facts.now,
            }),
            Stage::ReconcileService
            | Stage::ScaleUp
            | Stage::PreProductionTrafficShift
            | Stage::BakeTime
            | Stage::CleanUp => None,
        }
    }

    fn steps_done(&self, shifts: usize) -> StepsDone {
        match &self.plan.strategy {
            Strategy::Shifting { steps } if shifts < steps.len() => StepsDone::Some {
                bake: shifts
                    .checked_sub(1)
                    .and_then(|last| steps.get(last))
                    .map(|step| step.bake)
                    .unwrap_or_default(),
            },
            Strategy::Shifting { .. } | Strategy::Rolling(_) => StepsDone::All,
        }
    }

    pub(super) fn leave_stage(&mut self, now: OffsetDateTime) {
        let Some(record) = self.stages.last_mut().filter(|record| record.left.is_none()) else {
            return;
        };
        record.left = Some(now);
        let entered = record.entered;
        // Pauses come first in a stage, so it was held until the last of them was answered.
        let answered = self
            .hooks
            .iter()
            .filter(|hook| hook.created >= entered)
            .filter_map(|hook| hook.answered)
            .max();
        record.held_ms = answered.map_or(0, |answered| {
            u64::try_from((answered - entered).whole_milliseconds()).unwrap_or(0)
        });
    }

    pub(super) fn enter_stage(&mut self, now: OffsetDateTime) {
        let Some(stage) = self.stage() else { return };
        let direction = if matches!(self.phase, Phase::Back { .. }) {
            Direction::Back
        } else {
            Direction::Forward
        };
        self.stages.push(StageRecord {
            stage,
            direction,
            entered: now,
            left: None,
            held_ms: 0,
        });
        if direction == Direction::Forward {
            self.raise_hooks(stage, now);
        }
    }
}

enum StepsDone {
    All,
    Some { bake: std::time::Duration },
}

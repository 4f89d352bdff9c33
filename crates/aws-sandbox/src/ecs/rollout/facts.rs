//! What a rollout is told about the world, and what it wants of it: task counts and traffic.

use std::ops::Add;

use time::OffsetDateTime;

use super::{End, Phase, Rollout, Share, SourceScale, Stage, Strategy, Undo};

/// What the machine is told about the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Facts {
    pub(crate) now: OffsetDateTime,
    /// The service's desired count.
    pub(crate) desired: u32,
    pub(crate) source: Counts,
    pub(crate) target: Counts,
    /// The tasks of revisions that are neither.
    pub(crate) others: Counts,
    /// Failures in a row of the source's tasks.
    pub(crate) source_failures: u32,
    /// The deployment's alarms that are in ALARM now.
    pub(crate) firing: Vec<String>,
}

/// The tasks of one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    /// Starting or running, not asked to stop.
    pub(crate) active: u32,
    /// Running and, behind a load balancer, passing its health check.
    pub(crate) healthy: u32,
    /// In whatever state before STOPPED.
    pub(crate) present: u32,
}

/// How many tasks each revision should have now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) source: u32,
    pub(crate) target: u32,
    /// Of all revisions that are neither, together.
    pub(crate) others: u32,
}

impl Add for Counts {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            active: self.active + other.active,
            healthy: self.healthy + other.healthy,
            present: self.present + other.present,
        }
    }
}

impl Rollout {
    /// How many tasks each revision should have.
    pub(crate) fn wanted(&self, facts: &Facts) -> Wanted {
        let desired = facts.desired;
        let source = match self.plan.source {
            SourceScale::None => 0,
            SourceScale::Desired => desired,
        };
        let only = |source, target| Wanted {
            source,
            target,
            others: 0,
        };
        match (&self.phase, self.plan.strategy.as_rolling()) {
            (Phase::Rolling { .. }, Some(limits)) => {
                let (target, kept) = limits.wanted(desired, facts.target, facts.source + facts.others);
                let source = kept.min(facts.source.active);
                Wanted {
                    source,
                    target,
                    others: kept - source,
                }
            }
            (
                Phase::Back {
                    undo: Undo::Restore, ..
                },
                Some(limits),
            ) => {
                let (source, kept) = limits.wanted(source, facts.source, facts.target + facts.others);
                let target = kept.min(facts.target.active);
                Wanted {
                    source,
                    target,
                    others: kept - target,
                }
            }
            (Phase::Forward { stage, .. }, rolling) => only(
                if *stage == Stage::CleanUp || rolling.is_some() {
                    0
                } else {
                    source
                },
                if *stage < Stage::ScaleUp { 0 } else { desired },
            ),
            (
                Phase::Rolling { .. }
                | Phase::Back {
                    undo: Undo::Restore, ..
                },
                None,
            ) => only(source, desired),
            (Phase::Back { undo: Undo::Clear, .. }, _) => only(source, 0),
            (Phase::Ended { end, .. }, _) => match end {
                End::Successful => only(0, desired),
                // A failed deployment launches no new tasks (Amazon ECS API Reference, DeploymentCircuitBreaker).
                End::Stopped { .. } => only(source, facts.target.active.min(desired)),
                End::RolledBack { .. } => only(source, 0),
                End::RollbackFailed { .. } => only(source, desired),
            },
        }
    }

    /// The target's part of the traffic.
    pub(crate) fn share(&self) -> Share {
        let all = Share {
            production: 100.0,
            test: 100.0,
        };
        match (&self.phase, &self.plan.strategy) {
            (Phase::Forward { stage, shifts, .. }, Strategy::Shifting { steps }) => Share {
                production: shifts
                    .checked_sub(1)
                    .and_then(|last| steps.get(last))
                    .map_or(0.0, |step| step.percent),
                test: if *stage >= Stage::TestTrafficShift { 100.0 } else { 0.0 },
            },
            (
                Phase::Forward { .. }
                | Phase::Rolling { .. }
                | Phase::Back {
                    undo: Undo::Restore, ..
                },
                _,
            ) => all,
            (Phase::Back { undo: Undo::Clear, .. }, _) => Share::default(),
            (Phase::Ended { end, .. }, _) => match end {
                End::Successful | End::RollbackFailed { .. } => all,
                End::Stopped { share, .. } => *share,
                End::RolledBack { .. } => Share::default(),
            },
        }
    }

    /// The stage the API shows.
    pub(crate) fn stage(&self) -> Option<Stage> {
        match &self.phase {
            Phase::Forward { stage, .. } => Some(*stage),
            Phase::Back {
                undo: Undo::Restore, ..
            } => Some(Stage::ScaleUp),
            Phase::Back { undo: Undo::Clear, .. } => Some(Stage::CleanUp),
            Phase::Rolling { .. } | Phase::Ended { .. } => None,
        }
    }
}

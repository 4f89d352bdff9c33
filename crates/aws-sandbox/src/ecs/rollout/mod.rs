//! One service deployment, as Amazon ECS performs it: a pure state machine.
//!
//! It owns which stage a deployment is in, what the stage waits for, how many tasks each revision should have and
//! where the traffic should go. It never starts a task, touches a load balancer or reads a clock: [`Facts`] go in,
//! [`Effect`]s come out, and a [`Rollout`] on disk is all a restarted sandbox needs to go on.
//!
//! Sources: Amazon ECS API Reference, `ServiceDeployment` and `DeploymentLifecycleHook`; Amazon ECS Developer Guide,
//! "Amazon ECS blue/green service deployments workflow" and "How the Amazon ECS deployment circuit breaker detects
//! failures".

mod breaker;
mod facts;
mod hook;
mod plan;
#[cfg(test)]
mod properties;
mod rolling;
mod stage;
mod step;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) use breaker::{Breaker, Threshold};
pub(crate) use facts::{Counts, Facts, Wanted};
pub(crate) use hook::{AnswerError, Hook, HookAction, HookStatus};
pub(crate) use plan::{AlarmWatch, OnFailure, PauseHook, Plan, SourceScale, Strategy};
pub(crate) use stage::{Direction, Stage, StageRecord};

/// A service deployment: what was asked for and how far it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rollout {
    pub(crate) plan: Plan,
    pub(crate) phase: Phase,
    /// Every pause this deployment has met, in order.
    pub(crate) hooks: Vec<Hook>,
    pub(crate) stages: Vec<StageRecord>,
    /// Failed tasks of the target, as the circuit breaker counts them.
    pub(crate) failures: u32,
    /// Alarms that made it give up.
    pub(crate) triggered_alarms: Vec<String>,
}

/// How far a deployment is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Phase {
    /// Through the lifecycle stages; `shifts` counts the traffic shifts made so far.
    Forward {
        stage: Stage,
        shifts: usize,
        since: OffsetDateTime,
    },
    /// Replacing tasks in place, a few at a time.
    Rolling { since: OffsetDateTime },
    /// Back to the source revision.
    Back {
        reason: String,
        asked: OffsetDateTime,
        undo: Undo,
    },
    /// Nothing moves any more.
    Ended { end: End, at: OffsetDateTime },
}

/// How far a rollback is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Undo {
    /// The source has lost tasks and gets them back; traffic stays where it is until they are healthy.
    Restore,
    /// The source has all traffic again; the target's tasks go.
    Clear,
}

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum End {
    Successful,
    /// Left as it was: both revisions keep what they had.
    Stopped {
        reason: String,
        share: Share,
    },
    RolledBack {
        reason: String,
        asked: OffsetDateTime,
    },
    RollbackFailed {
        reason: String,
        asked: OffsetDateTime,
    },
}

/// The target's percentage of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) production: f64,
    pub(crate) test: f64,
}

/// What has to happen because the state changed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// The target's percentage on the production rule.
    Production(f64),
    /// The target's percentage on the test rule.
    Test(f64),
    Event(Milestone),
}

/// What a service's event list says about a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Milestone {
    Completed,
    RollingBack,
    RolledBack,
    Failed,
}

/// How a caller stops a deployment (`StopServiceDeployment`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    Rollback,
    Abort,
}

/// Whether more than one revision was active when a deployment began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    Clean,
    Reconcile,
}

impl Rollout {
    /// Begins at the first stage. Nothing has happened yet: [`Rollout::advance`] gives the effects.
    pub(crate) fn start(plan: Plan, start: Start, now: OffsetDateTime) -> (Self, Vec<Effect>) {
        let mut rollout = Self {
            phase: Phase::Rolling { since: now },
            plan,
            hooks: Vec::new(),
            stages: Vec::new(),
            failures: 0,
            triggered_alarms: Vec::new(),
        };
        let mut effects = Vec::new();
        if let Strategy::Shifting { .. } = rollout.plan.strategy {
            let stage = match start {
                Start::Clean => Stage::PreScaleUp,
                Start::Reconcile => Stage::ReconcileService,
            };
            rollout.enter(
                Phase::Forward {
                    stage,
                    shifts: 0,
                    since: now,
                },
                now,
                &mut effects,
            );
        }
        (rollout, effects)
    }

    /// Goes as far as the facts allow.
    pub(crate) fn advance(&mut self, facts: &Facts) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.give_up_if_failing(facts, &mut effects);
        while let Some(next) = self.next(facts) {
            self.enter(next, facts.now, &mut effects);
        }
        effects
    }

    /// Answers a waiting pause (`ContinueServiceDeployment`).
    pub(crate) fn answer(
        &mut self,
        hook_id: &str,
        action: HookAction,
        now: OffsetDateTime,
    ) -> Result<Vec<Effect>, AnswerError> {
        let hook = self
            .hooks
            .iter_mut()
            .find(|hook| hook.id == hook_id)
            .ok_or(AnswerError::NoSuchHook)?;
        hook.answer(action, now)?;
        let mut effects = Vec::new();
        if action == HookAction::Rollback {
            let reason = format!(
                "Service deployment rolled back because the lifecycle hook at {} was answered with ROLLBACK.",
                hook.stage
            );
            self.turn_back(reason, now, &mut effects);
        }
        Ok(effects)
    }

    /// Stops on a caller's word. A deployment that has ended or is already going back cannot be stopped.
    pub(crate) fn stop(&mut self, stop: Stop, now: OffsetDateTime) -> Result<Vec<Effect>, NotStoppable> {
        match self.phase {
            Phase::Back { .. } | Phase::Ended { .. } => return Err(NotStoppable),
            Phase::Forward { .. } | Phase::Rolling { .. } => {}
        }
        let mut effects = Vec::new();
        match stop {
            Stop::Rollback => self.turn_back(
                "Service deployment rolled back because of a user request.".to_owned(),
                now,
                &mut effects,
            ),
            Stop::Abort => self.end_where_it_is(
                "Service deployment stopped because of a user request.".to_owned(),
                now,
                &mut effects,
            ),
        }
        Ok(effects)
    }

    /// Something newer takes over: a deployment in flight ends where it is.
    pub(crate) fn give_way(&mut self, reason: String, now: OffsetDateTime) {
        if self.in_flight() {
            self.end_where_it_is(reason, now, &mut Vec::new());
        }
    }

    /// A task of the target stopped without being asked to, or never became healthy.
    pub(crate) fn task_failed(&mut self) {
        if matches!(self.phase, Phase::Forward { .. } | Phase::Rolling { .. }) {
            self.failures += 1;
        }
    }

    /// A task of the target became healthy.
    pub(crate) fn task_healthy(&mut self) {
        if self.plan.breaker.resets_on_healthy() {
            self.failures = 0;
        }
    }

    pub(crate) fn in_flight(&self) -> bool {
        !matches!(self.phase, Phase::Ended { .. })
    }

    /// The service's desired count was set by hand: a source that had no tasks takes part again.
    pub(crate) fn rescaled(&mut self) {
        if matches!(self.phase, Phase::Ended { .. }) {
            self.plan.source = SourceScale::Desired;
        }
    }
}

/// The deployment has ended or is already going back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service deployment is not in progress")]
pub(crate) struct NotStoppable;

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
mod hook;
mod plan;
mod rolling;
mod stage;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) use breaker::{Breaker, Threshold};
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
    Forward { stage: Stage, shifts: usize, since: OffsetDateTime },
    /// Replacing tasks in place, a few at a time.
    Rolling { since: OffsetDateTime },
    /// Back to the source revision.
    Back { reason: String, asked: OffsetDateTime, undo: Undo },
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
    Stopped { reason: String, share: Share },
    RolledBack { reason: String, asked: OffsetDateTime },
    RollbackFailed { reason: String, asked: OffsetDateTime },
}

/// The target's percentage of the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Share {
    pub(crate) production: f64,
    pub(crate) test: f64,
}

/// What the machine is told about the world.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Facts {
    pub(crate) now: OffsetDateTime,
    /// The service's desired count.
    pub(crate) desired: u32,
    pub(crate) source: Counts,
    pub(crate) target: Counts,
    /// Tasks, in whatever state before STOPPED, of revisions that are neither.
    pub(crate) others: u32,
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

/// How many tasks each revision should have now. Revisions that are neither source nor target should have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) source: u32,
    pub(crate) target: u32,
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
            rollout.enter(Phase::Forward { stage, shifts: 0, since: now }, now, &mut effects);
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
    pub(crate) fn answer(&mut self, hook_id: &str, action: HookAction, now: OffsetDateTime) -> Result<Vec<Effect>, AnswerError> {
        let hook = self.hooks.iter_mut().find(|hook| hook.id == hook_id).ok_or(AnswerError::NoSuchHook)?;
        hook.answer(action, now)?;
        let mut effects = Vec::new();
        if action == HookAction::Rollback {
            let reason = format!("Service deployment rolled back because the lifecycle hook at {} was answered with ROLLBACK.", hook.stage);
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
            Stop::Rollback => self.turn_back("Service deployment rolled back because of a user request.".to_owned(), now, &mut effects),
            Stop::Abort => self.end_where_it_is("Service deployment stopped because of a user request.".to_owned(), now, &mut effects),
        }
        Ok(effects)
    }

    /// A newer deployment takes over.
    pub(crate) fn supersede(&mut self, by: &str, now: OffsetDateTime) {
        if !matches!(self.phase, Phase::Ended { .. }) {
            let reason = format!("Service deployment stopped because the newer service deployment {by} started.");
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

    /// How many tasks each revision should have.
    pub(crate) fn wanted(&self, facts: &Facts) -> Wanted {
        let desired = facts.desired;
        let source = match self.plan.source {
            SourceScale::None => 0,
            SourceScale::Desired => desired,
        };
        match (&self.phase, self.plan.strategy.as_rolling()) {
            (Phase::Rolling { .. }, Some(limits)) => {
                let (target, source) = limits.wanted(desired, facts.target, facts.source);
                Wanted { source, target }
            }
            (Phase::Back { undo: Undo::Restore, .. }, Some(limits)) => {
                let (source, target) = limits.wanted(source, facts.source, facts.target);
                Wanted { source, target }
            }
            (Phase::Forward { stage, .. }, _) => Wanted {
                source: if *stage == Stage::CleanUp || self.plan.strategy.as_rolling().is_some() { 0 } else { source },
                target: if *stage < Stage::ScaleUp { 0 } else { desired },
            },
            (Phase::Rolling { .. } | Phase::Back { undo: Undo::Restore, .. }, None) => Wanted { source, target: desired },
            (Phase::Back { undo: Undo::Clear, .. }, _) => Wanted { source, target: 0 },
            (Phase::Ended { end, .. }, _) => match end {
                End::Successful => Wanted { source: 0, target: desired },
                // A failed deployment launches no new tasks (Amazon ECS API Reference, DeploymentCircuitBreaker).
                End::Stopped { .. } => Wanted { source, target: facts.target.active.min(desired) },
                End::RolledBack { .. } => Wanted { source, target: 0 },
                End::RollbackFailed { .. } => Wanted { source, target: desired },
            },
        }
    }

    /// The target's part of the traffic.
    pub(crate) fn share(&self) -> Share {
        let all = Share { production: 100.0, test: 100.0 };
        match (&self.phase, &self.plan.strategy) {
            (Phase::Forward { stage, shifts, .. }, Strategy::Shifting { steps }) => Share {
                production: shifts.checked_sub(1).and_then(|last| steps.get(last)).map_or(0.0, |step| step.percent),
                test: if *stage >= Stage::TestTrafficShift { 100.0 } else { 0.0 },
            },
            (Phase::Forward { .. } | Phase::Rolling { .. } | Phase::Back { undo: Undo::Restore, .. }, _) => all,
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
            Phase::Back { undo: Undo::Restore, .. } => Some(Stage::ScaleUp),
            Phase::Back { undo: Undo::Clear, .. } => Some(Stage::CleanUp),
            Phase::Rolling { .. } | Phase::Ended { .. } => None,
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

    fn next(&self, facts: &Facts) -> Option<Phase> {
        let now = facts.now;
        let end = |end| Some(Phase::Ended { end, at: now });
        match &self.phase {
            Phase::Forward { stage, shifts, since } => self.next_stage(*stage, *shifts, *since, facts),
            Phase::Rolling { .. } => {
                let settled = facts.target.healthy >= facts.desired && facts.target.active == facts.desired && facts.source.present == 0 && facts.others == 0;
                match (settled, self.plan.bake.is_zero()) {
                    (false, _) => None,
                    (true, true) => end(End::Successful),
                    (true, false) => Some(Phase::Forward { stage: Stage::BakeTime, shifts: 0, since: now }),
                }
            }
            Phase::Back { reason, asked, undo: Undo::Restore } => {
                let wanted = self.wanted(facts);
                if facts.source.healthy >= wanted.source && (self.plan.strategy.as_rolling().is_none() || facts.target.present == 0) {
                    return Some(Phase::Back { reason: reason.clone(), asked: *asked, undo: Undo::Clear });
                }
                let hopeless = self.plan.breaker.trips(facts.source_failures, facts.desired);
                hopeless.then(|| Phase::Ended { end: End::RollbackFailed { reason: reason.clone(), asked: *asked }, at: now })
            }
            Phase::Back { reason, asked, undo: Undo::Clear } if facts.target.present == 0 && facts.others == 0 => {
                end(End::RolledBack { reason: reason.clone(), asked: *asked })
            }
            Phase::Back { .. } | Phase::Ended { .. } => None,
        }
    }

    /// Leaves a phase and enters another: the records, the hooks and the effects of doing so.
    fn enter(&mut self, next: Phase, now: OffsetDateTime, effects: &mut Vec<Effect>) {
        let before = self.share();
        self.leave_stage(now);
        self.phase = next;
        let after = self.share();
        match &self.phase {
            Phase::Forward { stage: stage @ (Stage::ReconcileService | Stage::ProductionTrafficShift), .. } => {
                effects.push(Effect::Production(after.production));
                if *stage == Stage::ReconcileService {
                    effects.push(Effect::Test(after.test));
                }
            }
            Phase::Forward { stage: Stage::TestTrafficShift, .. } => effects.push(Effect::Test(after.test)),
            Phase::Back { undo: Undo::Clear, .. } => effects.extend([Effect::Production(0.0), Effect::Test(0.0)]),
            Phase::Forward { .. } | Phase::Rolling { .. } | Phase::Back { .. } => {}
            Phase::Ended { end, .. } => effects.extend(end.milestone().map(Effect::Event)),
        }
        debug_assert!(after.production >= before.production || self.may_lose_traffic(), "traffic only moves forward");
        self.enter_stage(now);
    }

    /// Only going back and starting anew take traffic from a target.
    fn may_lose_traffic(&self) -> bool {
        matches!(self.phase, Phase::Back { .. } | Phase::Ended { .. } | Phase::Forward { shifts: 0, .. })
    }

    fn give_up_if_failing(&mut self, facts: &Facts, effects: &mut Vec<Effect>) {
        let watched = match &self.phase {
            Phase::Forward { stage, .. } => *stage != Stage::CleanUp,
            Phase::Rolling { .. } => true,
            Phase::Back { .. } | Phase::Ended { .. } => false,
        };
        if !watched {
            return;
        }
        if let Some(stage) = self.expire_hooks(facts.now) {
            let reason = format!("Service deployment rolled back because the lifecycle hook at {stage} timed out.");
            return self.turn_back(reason, facts.now, effects);
        }
        let (reason, then) = if self.plan.breaker.trips(self.failures, facts.desired) {
            ("the circuit breaker threshold was exceeded".to_owned(), self.plan.breaker.on_failure())
        } else if let Some((alarms, then)) = self.plan.alarms.triggered(&facts.firing) {
            let names = alarms.join(", ");
            self.triggered_alarms = alarms;
            (format!("these CloudWatch alarms are in ALARM: {names}"), then)
        } else {
            return;
        };
        match then {
            OnFailure::RollBack => self.turn_back(format!("Service deployment rolled back because {reason}."), facts.now, effects),
            OnFailure::Stop => self.end_where_it_is(format!("Service deployment stopped because {reason}."), facts.now, effects),
        }
    }

    /// The source gets the traffic back first; only then do the target's tasks go. A source that still has its
    /// tasks takes the traffic at once; one that was being scaled in gets them back before.
    fn turn_back(&mut self, reason: String, now: OffsetDateTime, effects: &mut Vec<Effect>) {
        let undo = match &self.phase {
            Phase::Forward { stage: Stage::CleanUp, .. } | Phase::Rolling { .. } => Undo::Restore,
            Phase::Forward { .. } if self.plan.strategy.as_rolling().is_some() => Undo::Restore,
            Phase::Forward { .. } | Phase::Back { .. } | Phase::Ended { .. } => Undo::Clear,
        };
        self.close_hooks(now);
        effects.push(Effect::Event(Milestone::RollingBack));
        self.enter(Phase::Back { reason, asked: now, undo }, now, effects);
    }

    fn end_where_it_is(&mut self, reason: String, now: OffsetDateTime, effects: &mut Vec<Effect>) {
        let share = self.share();
        self.close_hooks(now);
        self.enter(Phase::Ended { end: End::Stopped { reason, share }, at: now }, now, effects);
    }
}

impl End {
    fn milestone(&self) -> Option<Milestone> {
        match self {
            Self::Successful => Some(Milestone::Completed),
            Self::Stopped { .. } => None,
            Self::RolledBack { .. } => Some(Milestone::RolledBack),
            Self::RollbackFailed { .. } => Some(Milestone::Failed),
        }
    }
}

/// The deployment has ended or is already going back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the service deployment is not in progress")]
pub(crate) struct NotStoppable;

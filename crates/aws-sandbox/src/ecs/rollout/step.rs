//! One step of the machine: what follows from the facts, and what happens on the way from one phase to the next.

use time::OffsetDateTime;

use super::{Effect, End, Facts, Milestone, OnFailure, Phase, Rollout, Stage, Undo};

impl Rollout {
    pub(super) fn next(&self, facts: &Facts) -> Option<Phase> {
        let now = facts.now;
        let end = |end| Some(Phase::Ended { end, at: now });
        match &self.phase {
            Phase::Forward { stage, shifts, since } => self.next_stage(*stage, *shifts, *since, facts),
            Phase::Rolling { .. } => {
                let settled = facts.target.healthy >= facts.desired
                    && facts.target.active == facts.desired
                    && facts.source.present == 0
                    && facts.others.present == 0;
                match (settled, self.plan.bake.is_zero()) {
                    (false, _) => None,
                    (true, true) => end(End::Successful),
                    (true, false) => Some(Phase::Forward {
                        stage: Stage::BakeTime,
                        shifts: 0,
                        since: now,
                    }),
                }
            }
            Phase::Back {
                reason,
                asked,
                undo: Undo::Restore,
            } => {
                let wanted = self.wanted(facts);
                if facts.source.healthy >= wanted.source
                    && (self.plan.strategy.as_rolling().is_none() || facts.target.present == 0)
                {
                    return Some(Phase::Back {
                        reason: reason.clone(),
                        asked: *asked,
                        undo: Undo::Clear,
                    });
                }
                let hopeless = self.plan.breaker.trips(facts.source_failures, facts.desired);
                hopeless.then(|| Phase::Ended {
                    end: End::RollbackFailed {
                        reason: reason.clone(),
                        asked: *asked,
                    },
                    at: now,
                })
            }
            Phase::Back {
                reason,
                asked,
                undo: Undo::Clear,
            } if facts.target.present == 0 && facts.others.present == 0 => end(End::RolledBack {
                reason: reason.clone(),
                asked: *asked,
            }),
            Phase::Back { .. } | Phase::Ended { .. } => None,
        }
    }

    /// Leaves a phase and enters another: the records, the hooks and the effects of doing so.
    pub(super) fn enter(&mut self, next: Phase, now: OffsetDateTime, effects: &mut Vec<Effect>) {
        let before = self.share();
        self.leave_stage(now);
        self.phase = next;
        let after = self.share();
        match &self.phase {
            Phase::Forward {
                stage: stage @ (Stage::ReconcileService | Stage::ProductionTrafficShift),
                ..
            } => {
                effects.push(Effect::Production(after.production));
                if *stage == Stage::ReconcileService {
                    effects.push(Effect::Test(after.test));
                }
            }
            Phase::Forward {
                stage: Stage::TestTrafficShift,
                ..
            } => effects.push(Effect::Test(after.test)),
            Phase::Back { undo: Undo::Clear, .. } => effects.extend([Effect::Production(0.0), Effect::Test(0.0)]),
            Phase::Forward { .. } | Phase::Rolling { .. } | Phase::Back { .. } => {}
            Phase::Ended { end, .. } => effects.extend(end.milestone().map(Effect::Event)),
        }
        debug_assert!(
            after.production >= before.production || self.may_lose_traffic(),
            "traffic only moves forward"
        );
        self.enter_stage(now);
    }

    /// Only going back and starting anew take traffic from a target.
    fn may_lose_traffic(&self) -> bool {
        matches!(
            self.phase,
            Phase::Back { .. } | Phase::Ended { .. } | Phase::Forward { shifts: 0, .. }
        )
    }

    pub(super) fn give_up_if_failing(&mut self, facts: &Facts, effects: &mut Vec<Effect>) {
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
            (
                "the circuit breaker threshold was exceeded".to_owned(),
                self.plan.breaker.on_failure(),
            )
        } else if let Some((alarms, then)) = self.plan.alarms.triggered(&facts.firing) {
            let names = alarms.join(", ");
            self.triggered_alarms = alarms;
            (format!("these CloudWatch alarms are in ALARM: {names}"), then)
        } else {
            return;
        };
        match then {
            OnFailure::RollBack => self.turn_back(
                format!("Service deployment rolled back because {reason}."),
                facts.now,
                effects,
            ),
            OnFailure::Stop => self.end_where_it_is(
                format!("Service deployment stopped because {reason}."),
                facts.now,
                effects,
            ),
        }
    }

    /// The source gets the traffic back first; only then do the target's tasks go. A source that still has its
    /// tasks takes the traffic at once; one that was being scaled in gets them back before.
    pub(super) fn turn_back(&mut self, reason: String, now: OffsetDateTime, effects: &mut Vec<Effect>) {
        let undo = match &self.phase {
            Phase::Forward {
                stage: Stage::CleanUp, ..
            }
            | Phase::Rolling { .. } => Undo::Restore,
            Phase::Forward { .. } if self.plan.strategy.as_rolling().is_some() => Undo::Restore,
            Phase::Forward { .. } | Phase::Back { .. } | Phase::Ended { .. } => Undo::Clear,
        };
        self.close_hooks(now);
        effects.push(Effect::Event(Milestone::RollingBack));
        self.enter(
            Phase::Back {
                reason,
                asked: now,
                undo,
            },
            now,
            effects,
        );
    }

    pub(super) fn end_where_it_is(&mut self, reason: String, now: OffsetDateTime, effects: &mut Vec<Effect>) {
        let share = self.share();
        self.close_hooks(now);
        self.enter(
            Phase::Ended {
                end: End::Stopped { reason, share },
                at: now,
            },
            now,
            effects,
        );
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

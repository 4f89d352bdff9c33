//! How a deployment of the simulated ECS goes on as time passes.

use std::time::Duration;

use time::OffsetDateTime;
use tt_plan::{DeploymentStatus, LifecycleStage as Stage, Share};

use super::State;

/// A deployment of the simulated ECS.
#[derive(Debug, Clone)]
pub(super) struct Sim {
    pub(super) to: u32,
    pub(super) stage: Stage,
    pub(super) entered: OffsetDateTime,
    pub(super) share: Share,
    pub(super) schedule: Vec<Share>,
    pub(super) status: DeploymentStatus,
    pub(super) pauses: Vec<Stage>,
    pub(super) answered: bool,
    pub(super) bake: Duration,
    pub(super) step_bake: Duration,
    pub(super) hook: u32,
}

impl State {
    /// Lets ECS do what it would have done by now.
    pub(super) fn advance(&mut self) {
        let (now, healthy, taken_back_at) = (self.now(), self.script.healthy, self.script.taken_back_at);
        let Some(sim) = &mut self.deployment else { return };
        if sim.status == DeploymentStatus::InProgress && taken_back_at.is_some_and(|share| sim.share >= share) {
            sim.status = DeploymentStatus::RollingBack {
                reason: "stopped by ada".to_owned(),
            };
        }
        if let DeploymentStatus::RollingBack { reason } = sim.status.clone() {
            // Weights first; then the new tasks end, which ECS reports as CLEAN_UP.
            if sim.stage != Stage::CleanUp {
                sim.share = Share::NONE;
                sim.stage = Stage::CleanUp;
                sim.entered = now;
            } else if now - sim.entered >= sim.lasts(healthy) {
                sim.status = DeploymentStatus::RolledBack { reason };
            }
            return;
        }
        while sim.status == DeploymentStatus::InProgress && now - sim.entered >= sim.lasts(healthy) {
            let after = sim.entered + sim.lasts(healthy);
            if !sim.leave() {
                break;
            }
            sim.entered = after.max(sim.entered);
        }
        if sim.status == DeploymentStatus::Successful {
            self.live = sim.to;
        }
    }
}

impl Sim {
    fn lasts(&self, healthy: bool) -> Duration {
        match self.stage {
            Stage::ScaleUp if !healthy => Duration::MAX,
            Stage::ScaleUp | Stage::CleanUp => Duration::from_secs(40),
            Stage::ProductionTrafficShift if !self.share.is_whole() => self.step_bake,
            Stage::BakeTime => self.bake,
            Stage::ReconcileService
            | Stage::PreScaleUp
            | Stage::PostScaleUp
            | Stage::TestTrafficShift
            | Stage::PostTestTrafficShift
            | Stage::PreProductionTrafficShift
            | Stage::ProductionTrafficShift
            | Stage::PostProductionTrafficShift => Duration::ZERO,
        }
    }

    /// Goes on to the next stage unless a pause holds it.
    fn leave(&mut self) -> bool {
        if self.pauses.contains(&self.stage) && !self.answered {
            return false;
        }
        self.answered = false;
        self.hook += 1;
        let again = self.stage == Stage::ProductionTrafficShift && !self.share.is_whole();
        let position = Stage::ALL.iter().position(|stage| *stage == self.stage).unwrap();
        if again {
            self.stage = Stage::PreProductionTrafficShift;
        } else if let Some(next) = Stage::ALL.get(position + 1) {
            self.stage = *next;
        } else {
            self.status = DeploymentStatus::Successful;
        }
        if self.stage == Stage::ProductionTrafficShift {
            self.share = self
                .schedule
                .iter()
                .copied()
                .find(|share| *share > self.share)
                .unwrap_or(Share::ALL);
        }
        true
    }
}

//! The rolling update: how many tasks of each revision the percentages allow at one moment.

use serde::{Deserialize, Serialize};

use super::Counts;

/// Amazon ECS API Reference, `DeploymentConfiguration`: the minimum is rounded up, the maximum down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Limits {
    pub(crate) minimum_healthy_percent: u32,
    pub(crate) maximum_percent: u32,
}

impl Limits {
    /// Tasks wanted of the revision that comes and of the one that goes.
    pub(super) fn wanted(self, desired: u32, comes: Counts, goes: Counts) -> (u32, u32) {
        let ceiling = desired.saturating_mul(self.maximum_percent) / 100;
        let floor = desired.saturating_mul(self.minimum_healthy_percent).div_ceil(100);
        let room = ceiling.saturating_sub(comes.present.max(comes.active) + goes.present.max(goes.active));
        let coming = desired.min(comes.active + room);
        // What is not healthy protects nobody and may go at once.
        let spare = (comes.healthy + goes.healthy).saturating_sub(floor);
        let sick = goes.active.saturating_sub(goes.healthy);
        (coming, goes.active.saturating_sub(spare + sick))
    }
}

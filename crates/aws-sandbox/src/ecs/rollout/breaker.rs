//! The deployment circuit breaker: how many failed tasks are too many.
//!
//! Source: Amazon ECS Developer Guide, "How the Amazon ECS deployment circuit breaker detects failures", and Amazon
//! ECS API Reference, `DeploymentCircuitBreaker`.

use serde::{Deserialize, Serialize};

use super::plan::OnFailure;

/// Whether failed tasks end a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Breaker {
    Off,
    On {
        threshold: Threshold,
        then: OnFailure,
        reset_on_healthy: bool,
    },
}

/// How many failures end it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Threshold {
    Count(u32),
    /// Of the desired count, at least 3 and at most 200.
    BoundedPercent(u32),
    UnboundedPercent(u32),
}

impl Threshold {
    /// Half the desired count, within the bounds.
    pub(crate) const DEFAULT: Self = Self::BoundedPercent(50);

    pub(crate) fn failures(self, desired: u32) -> u32 {
        let part =
            |percent: u32| u32::try_from((u64::from(desired) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX);
        match self {
            Self::Count(count) => count.max(1),
            Self::BoundedPercent(percent) => part(percent).clamp(3, 200),
            Self::UnboundedPercent(percent) => part(percent).max(1),
        }
    }
}

impl Breaker {
    pub(super) fn trips(&self, failures: u32, desired: u32) -> bool {
        match self {
            Self::Off => false,
            Self::On { threshold, .. } => failures >= threshold.failures(desired),
        }
    }

    pub(super) fn on_failure(&self) -> OnFailure {
        match self {
            Self::Off => OnFailure::Stop,
            Self::On { then, .. } => *then,
        }
    }

    pub(super) fn resets_on_healthy(&self) -> bool {
        match self {
            Self::Off => true,
            Self::On { reset_on_healthy, .. } => *reset_on_healthy,
        }
    }
}

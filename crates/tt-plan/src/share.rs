//! A share of production traffic: unlike the environment's `Percent` it may be nothing at all.

use std::fmt;

use serde::{Deserialize, Serialize};
use tt_environment::Percent;

/// Tenths of a percent, 0 to 1000: the resolution of ECS's canary setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(into = "f64", try_from = "f64")]
pub struct Share(u16);

impl Share {
    /// No request.
    pub const NONE: Self = Self(0);
    /// Every request.
    pub const ALL: Self = Self(1000);

    /// From tenths of a percent; more than all is all.
    pub fn from_tenths(tenths: u16) -> Self {
        Self(tenths.min(1000))
    }

    /// The part that `weight` is of `total`, in tenths of a percent; of nothing, nothing.
    pub fn of(weight: u64, total: u64) -> Self {
        let tenths = (weight * 1000).checked_div(total).unwrap_or(0);
        Self::from_tenths(u16::try_from(tenths).unwrap_or(1000))
    }

    /// Whether it is every request.
    pub fn is_whole(self) -> bool {
        self == Self::ALL
    }

    /// `self + step`, at most all.
    #[must_use]
    pub fn plus(self, step: Percent) -> Self {
        Self::from_tenths(self.0.saturating_add(Self::from(step).0))
    }

    /// In percent.
    pub fn percent(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

impl From<Percent> for Share {
    fn from(percent: Percent) -> Self {
        Self::from_tenths(percent.tenths())
    }
}

impl From<Share> for f64 {
    fn from(share: Share) -> Self {
        share.percent()
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(percent: f64) -> Result<Self, Self::Error> {
        if !(0.0..=100.0).contains(&percent) {
            return Err(format!("a share lies between 0 and 100 percent, {percent} does not"));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked above: 0 to 1000"
        )]
        Ok(Self((percent * 10.0).round() as u16))
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(10) {
            write!(f, "{} %", self.0 / 10)
        } else {
            write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
        }
    }
}

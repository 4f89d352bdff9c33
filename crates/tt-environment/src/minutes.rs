//! Durations that AWS expresses in whole minutes, kept apart from the ordinary ones.
//!
//! Only these are shortened by `aws.minute`: a bake of ten minutes lasts ten of the account's minutes, which on a
//! sandbox may be seconds. A timeout of five seconds is five seconds everywhere.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// So many AWS minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Minutes(u32);

impl Minutes {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// So many minutes.
    pub const fn new(minutes: u32) -> Self {
        Self(minutes)
    }

    /// The number of minutes, as AWS's APIs take it.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// How long they last on a clock, where one AWS minute lasts `minute` (see [`Aws::minute`](crate::Aws)).
    pub fn lasting(self, minute: Duration) -> Duration {
        minute.saturating_mul(self.0)
    }
}

impl fmt::Display for Minutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}m", self.0)
    }
}

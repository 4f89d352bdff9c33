//! What a disaster would cost right now: lost time and time to recover, by Region, measured.

use std::time::Duration;

use time::OffsetDateTime;
use tt_environment::{Environment, Region};

use super::{
    backup::policy,
    observed::DatabaseObserved,
    verify::{newest, newest_abroad, passed},
};
use crate::{preflight, refusal::Refusals};

/// One Region's figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionReport {
    /// Which.
    pub region: Region,
    /// How much time would be lost: from now back to the newest moment that can be restored.
    pub rpo: Measured,
    /// How long a recovery takes: what the newest drill that passed took until its copy was verified.
    pub rto: Measured,
}

/// A figure, held against what is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measured {
    /// Measured.
    Value {
        /// The figure.
        found: Duration,
        /// What it may be at most.
        promised: Duration,
    },
    /// Promised, and nothing to measure: as bad as a promise that is broken.
    NoData {
        /// What it may be at most.
        promised: Duration,
    },
    /// Not promised.
    NotPromised,
}

impl Measured {
    fn of(found: Option<Duration>, promised: Duration) -> Self {
        found.map_or(Self::NoData { promised }, |found| Self::Value { found, promised })
    }

    /// Whether a promise is kept; one that was not made is.
    pub fn is_kept(self) -> bool {
        match self {
            Self::Value { found, promised } => found <= promised,
            Self::NoData { .. } => false,
            Self::NotPromised => true,
        }
    }
}

/// Measures each Region that the environment promises something of.
pub fn report(environment: &Environment, observed: &DatabaseObserved) -> Result<Vec<RegionReport>, Refusals> {
    let policy = policy(environment)?;
    Refusals::none_or(preflight::account(environment, &observed.caller))?;
    let since = |then: OffsetDateTime| Duration::try_from(observed.at - then).unwrap_or_default();
    let restorable = observed
        .window
        .map(|window| window.latest)
        .or(observed.source.latest_restorable);
    let recovery = passed(&observed.drills)
        .and_then(|drill| drill.verified_after_millis)
        .map(Duration::from_millis);
    let mut regions = vec![RegionReport {
        region: environment.aws.region.clone(),
        rpo: Measured::of(newest(&observed.snapshots).max(restorable).map(since), policy.rpo),
        rto: Measured::of(recovery, policy.rto),
    }];
    if let Some(copy) = &policy.copy {
        let abroad = observed.abroad.as_ref().filter(|abroad| abroad.region == copy.region);
        regions.push(RegionReport {
            region: copy.region.clone(),
            rpo: Measured::of(abroad.and_then(newest_abroad).map(since), copy.rpo),
            // Network, keys and tasks over there are another environment's; its own drills measure it.
            rto: Measured::NotPromised,
        });
    }
    Ok(regions)
}

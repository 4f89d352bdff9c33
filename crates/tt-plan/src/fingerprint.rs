//! What must not have changed between planning and acting.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::observed::Observed;

/// A digest of the parts of an [`Observed`] that a plan stands on.
///
/// Left out on purpose: task counts (autoscaling moves them), weights and stages of a deployment in flight (they move by themselves), the lock
/// (the executor takes it) and the time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of an observation.
    pub fn of(observed: &Observed) -> Self {
        let mut hash = Sha256::new();
        let mut feed = |text: &str| {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        };
        feed(observed.caller.account.as_str());
        feed(observed.service.arn.as_str());
        feed(observed.service.live.task_definition.as_str());
        feed(
            observed
                .service
                .deployment
                .as_ref()
                .map_or("", |deployment| deployment.arn.as_str()),
        );
        feed(&format!("{:?}", observed.service.rollout));
        Self(hex::encode(&hash.finalize()[..8]))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

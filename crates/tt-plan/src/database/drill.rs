//! What is remembered of a drill. It lives in S3, so it is a contract.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tt_environment::{EnvironmentName, InstanceName, Region};

use super::{examination::ExaminationFinding, step::RestoreFrom};
use crate::record::Holder;

/// The version written into records of drills; a reader passes over a higher one.
pub const DRILL_VERSION: u32 = 1;

/// One drill: a backup, restored, looked at and thrown away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillRecord {
    /// Of this shape.
    pub version: u32,
    /// Of which environment.
    pub environment: EnvironmentName,
    /// Where the copy was.
    pub region: Region,
    /// What was restored.
    pub instance: InstanceName,
    /// As what.
    pub copy: InstanceName,
    /// From what.
    pub from: RestoreFrom,
    /// Who ran it.
    pub who: Holder,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// From its beginning back to the newest data in the copy, in milliseconds: what a loss at that moment would have cost.
    pub data_age_millis: u64,
    /// From its beginning until RDS said available, in milliseconds.
    pub available_after_millis: Option<u64>,
    /// From its beginning until the copy had been looked at, in milliseconds: how long a recovery takes.
    pub verified_after_millis: Option<u64>,
    /// What the look found.
    pub findings: Vec<ExaminationFinding>,
    /// How it ended.
    pub outcome: DrillOutcome,
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum DrillOutcome {
    /// The copy is what it should be.
    Passed,
    /// The copy is there and is not what it should be.
    Failed,
    /// There was no copy to look at, or nobody could look.
    NotFinished {
        /// Why.
        reason: String,
    },
}

//! What is remembered of every run, and who may run: deploy records and the lock's lease. Both live in S3, so both are contracts.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tt_environment::EnvironmentName;

use crate::{observed::Arn, release::PinnedImage, step::Step};

/// The version written into records; a reader refuses a higher one.
pub const RECORD_VERSION: u32 = 1;

/// One run that changes what users have, or the schema below it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Of this shape.
    pub version: u32,
    /// Sorts by time.
    pub id: RecordId,
    /// Where.
    pub environment: EnvironmentName,
    /// What was run.
    pub command: Command,
    /// Who ran it: the CI job or user, and the AWS principal.
    pub who: Holder,
    /// What users were to end up with.
    pub release: String,
    /// Its image; absent for a rollback to a task definition that no record knows.
    pub image: Option<PinnedImage>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// The task definition that brought it, once registered.
    pub task_definition: Option<Arn>,
    /// The task definition users had before.
    pub previous: Option<Arn>,
    /// The service deployment, once started.
    pub deployment: Option<Arn>,
    /// The steps that were planned.
    pub plan: Vec<Step>,
    /// How long each finished step took.
    pub timings: Vec<StepTiming>,
    /// The schemas that the release works with, once its migrations have said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<SchemaRange>,
    /// What the run did to the schema that not every release survives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schema_changes: Vec<SchemaChange>,
    /// How it ended, or that it has not.
    pub outcome: Outcome,
    /// The step at which it ended early.
    pub stopped_at: Option<String>,
    /// The lock's fencing token: of two runs the higher one came later.
    pub token: u64,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub ended_at: Option<OffsetDateTime>,
}

/// Identifies a record; unique because a fencing token is given once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordId(String);

impl RecordId {
    /// `20260102T030405Z-42`: when it began, and its fencing token.
    pub fn new(started_at: OffsetDateTime, token: u64) -> Self {
        let t = started_at.to_offset(time::UtcOffset::UTC);
        Self(format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z-{token}",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        ))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Commands that leave a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Command {
    /// A release forward.
    Deploy,
    /// A release back.
    Rollback,
    /// Migrations forward, apart from a deploy.
    DbMigrate,
    /// Migrations back.
    DbRollback,
    /// Migrations on a restored copy.
    Rehearse,
}

impl Command {
    /// Whether users have another release after it.
    pub fn moves_users(self) -> bool {
        match self {
            Self::Deploy | Self::Rollback => true,
            Self::DbMigrate | Self::DbRollback | Self::Rehearse => false,
        }
    }
}

/// The schemas that a release works with, by the numbers of migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRange {
    /// The oldest it starts on.
    pub needs: i64,
    /// The newest it was built with.
    pub knows: i64,
}

/// A change of the schema that has to be remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum SchemaChange {
    /// A contract migration removed something.
    Removed {
        /// Its number.
        version: i64,
        /// Its name.
        name: String,
        /// Releases that know no schema as new as this one no longer work.
        breaks_below: i64,
    },
    /// Migrations above this number were taken back.
    TakenBackTo {
        /// The newest that is left.
        version: i64,
    },
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// It has not ended, or its process died.
    Running,
    /// All traffic shifted; the job left during the bake, as it was told to.
    Shifted,
    /// All done.
    Done,
    /// Users are back on the previous revision.
    RolledBack {
        /// Why.
        reason: String,
    },
    /// It stopped before users were touched.
    Failed {
        /// Why.
        reason: String,
    },
    /// It stopped half-way: ECS holds the state.
    Interrupted {
        /// Why.
        reason: String,
    },
    /// It waits for a person.
    Paused {
        /// Why.
        reason: String,
    },
}

/// A finished step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTiming {
    /// [`Step::name`].
    pub step: String,
    /// Milliseconds.
    pub millis: u64,
}

/// Who holds something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// A person or a CI job, e.g. `ada@laptop` or the job's URL.
    pub name: String,
    /// The AWS principal.
    pub principal: String,
}

/// The lock object. It is never deleted, so that its token only ever grows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Grows by one with each holder.
    pub token: u64,
    /// Who has, or had it.
    pub holder: Holder,
    /// For what.
    pub command: Command,
    /// Unless renewed, free from then on.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Given back before it expired.
    pub released: bool,
}

impl Lease {
    /// Whether somebody else has to stay out.
    pub fn is_held(&self, now: OffsetDateTime) -> bool {
        !self.released && self.expires_at > now
    }

    /// Whether its holder died without giving it back.
    pub fn is_abandoned(&self, now: OffsetDateTime) -> bool {
        !self.released && self.expires_at <= now
    }
}

//! A plan about backups, and its steps.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tt_environment::{InstanceName, KmsKey, Region, SnapshotName};

use super::mark::Mark;
use crate::observed::Arn;

/// What to do, in order.
///
/// It carries no fingerprint: every name in it is one that AWS refuses when it is taken, and every deletion looks at the tags
/// once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePlan {
    /// What kind of run this is.
    pub command: DatabaseCommand,
    /// The instance it is about.
    pub instance: InstanceName,
    /// What the plan's maker should hear even though it goes on.
    pub warnings: Vec<DatabaseWarning>,
    /// The steps; none when there is nothing to do.
    pub steps: Vec<DatabaseStep>,
}

/// Runs that are about backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseCommand {
    /// A snapshot, and its copy.
    Backup,
    /// Old ones go.
    Prune,
    /// A restored instance that stays.
    Restore,
    /// A restored instance that is looked at and goes again.
    Drill,
    /// A restored instance on which migrations run, and that goes again.
    Rehearse,
}

impl DatabaseCommand {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Prune => "prune",
            Self::Restore => "restore",
            Self::Drill => "drill",
            Self::Rehearse => "rehearse",
        }
    }

    /// Whether the instance it restores goes again, whatever happens.
    pub fn leaves_nothing(self) -> bool {
        match self {
            Self::Drill | Self::Rehearse => true,
            Self::Backup | Self::Prune | Self::Restore => false,
        }
    }
}

/// What a plan's maker should hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseWarning {
    /// The quota of manual snapshots comes near.
    NearQuota {
        /// So many there are.
        snapshots: u32,
        /// So many AWS allows.
        quota: u32,
    },
}

/// One thing the executor does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum DatabaseStep {
    /// Take a snapshot and wait until it is available.
    TakeSnapshot {
        /// Of which instance.
        instance: InstanceName,
        /// Its name.
        snapshot: SnapshotName,
        /// Its tags.
        mark: Mark,
    },
    /// Copy a snapshot to another Region and wait until it is available there.
    CopySnapshot {
        /// Which, in the environment's Region.
        snapshot: SnapshotName,
        /// Where to.
        to: Region,
        /// The key there.
        kms_key: Option<KmsKey>,
        /// Its tags.
        mark: Mark,
    },
    /// Have RDS replicate the automated backups to another Region from now on.
    ReplicateBackups {
        /// Of which instance.
        instance: Arn,
        /// Where to.
        to: Region,
        /// The key there.
        kms_key: Option<KmsKey>,
        /// How long they are kept there.
        retention_days: u32,
    },
    /// Delete a snapshot of ours.
    DeleteSnapshot {
        /// Where it is.
        region: Region,
        /// Which.
        snapshot: SnapshotName,
        /// What was known of it: one that a drill has found whole since then stays.
        mark: Mark,
        /// The newest there, without which it would not go.
        outlived_by: SnapshotName,
    },
    /// Restore beside the source and wait until it is available.
    Restore {
        /// From what.
        from: RestoreFrom,
        /// The source.
        source: InstanceName,
        /// The new instance.
        copy: InstanceName,
        /// How it is made.
        settings: RestoreSettings,
        /// Its tags.
        mark: Mark,
    },
    /// Look into the copy, and compare it with the source.
    Examine {
        /// The source.
        source: InstanceName,
        /// The copy.
        copy: InstanceName,
    },
    /// Run the release's pending migrations on the copy.
    Migrate {
        /// The copy.
        copy: InstanceName,
    },
    /// Delete an instance of ours, without a last snapshot.
    DeleteInstance {
        /// Which.
        instance: InstanceName,
    },
}

impl DatabaseStep {
    /// One word for logs, records and tables; the same one everywhere.
    pub fn name(&self) -> &'static str {
        match self {
            Self::TakeSnapshot { .. } => "take-snapshot",
            Self::CopySnapshot { .. } => "copy-snapshot",
            Self::ReplicateBackups { .. } => "replicate-backups",
            Self::DeleteSnapshot { .. } => "delete-snapshot",
            Self::Restore { .. } => "restore",
            Self::Examine { .. } => "examine",
            Self::Migrate { .. } => "migrate",
            Self::DeleteInstance { .. } => "delete-instance",
        }
    }
}

/// What is restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum RestoreFrom {
    /// A snapshot.
    Snapshot {
        /// Which.
        snapshot: SnapshotName,
        /// When its data is from.
        #[serde(with = "time::serde::rfc3339")]
        taken: OffsetDateTime,
    },
    /// A moment.
    Time {
        /// Which.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The last moment there is.
    Latest {
        /// What RDS called the last one when the plan was made.
        #[serde(with = "time::serde::rfc3339")]
        seen: OffsetDateTime,
    },
}

impl RestoreFrom {
    /// Up to when the restored data goes.
    pub fn data_until(&self) -> OffsetDateTime {
        match self {
            Self::Snapshot { taken, .. } => *taken,
            Self::Time { at } => *at,
            Self::Latest { seen } => *seen,
        }
    }
}

/// How a restored instance is made: as the source is, because RDS's own defaults are the default VPC, the default parameter
/// group and, for some engines, a public address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreSettings {
    /// Its class.
    pub class: String,
    /// Its subnet group.
    pub subnet_group: Option<String>,
    /// Its VPC security groups.
    pub security_groups: Vec<String>,
    /// Its parameter group.
    pub parameter_group: Option<String>,
    /// Whether it gets a standby.
    pub multi_az: bool,
    /// Days that its own automated backups are kept.
    pub retention_days: u32,
}

//! Why no plan about backups is made.

use thiserror::Error;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_environment::{InstanceName, SnapshotName};

use super::status::{InstanceStatus, SnapshotStatus};

/// One reason not to act.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DatabaseRefusal {
    /// The environment names no database.
    #[error("the environment names no database")]
    NoDatabase,
    /// The environment does not say how it is backed up.
    #[error("the environment does not say how the database is backed up")]
    NoPolicy,
    /// The instance cannot be snapshot in its present state.
    #[error("database instance `{instance}` is {status}, so no snapshot can be taken of it")]
    NotAvailable {
        /// Which.
        instance: InstanceName,
        /// Where it is.
        status: InstanceStatus,
    },
    /// A snapshot of that name is there.
    #[error("a snapshot `{snapshot}` exists already")]
    SnapshotExists {
        /// Its name.
        snapshot: SnapshotName,
    },
    /// AWS would refuse another manual snapshot.
    #[error("the account has {snapshots} manual snapshots in this Region, and AWS allows {quota}")]
    QuotaReached {
        /// So many there are.
        snapshots: u32,
        /// So many AWS allows.
        quota: u32,
    },
    /// An encrypted snapshot needs a key in the other Region.
    #[error("the database is encrypted, and its key does not leave the Region: the copy needs a key over there")]
    NoKeyAbroad,
    /// An instance of that name is there.
    #[error("a database instance `{instance}` exists already ({status})")]
    InstanceExists {
        /// Its name.
        instance: InstanceName,
        /// Where it is.
        status: InstanceStatus,
    },
    /// Automated backups are off.
    #[error("database instance `{instance}` keeps no automated backups, so it cannot be restored to a moment")]
    NoPointInTime {
        /// Which.
        instance: InstanceName,
    },
    /// The moment is before or after what RDS keeps.
    #[error(
        "{} is outside of what can be restored: from {} to {}",
        stamp(*asked), stamp(*earliest), stamp(*latest)
    )]
    OutsideWindow {
        /// As asked.
        asked: OffsetDateTime,
        /// The first moment.
        earliest: OffsetDateTime,
        /// The last.
        latest: OffsetDateTime,
    },
    /// No such snapshot of this instance.
    #[error("there is no snapshot `{snapshot}` of database instance `{instance}`")]
    UnknownSnapshot {
        /// As asked.
        snapshot: SnapshotName,
        /// The source.
        instance: InstanceName,
        /// The newest few that can be restored.
        known: Vec<SnapshotName>,
    },
    /// The snapshot cannot be restored in its present state.
    #[error("snapshot `{snapshot}` is {status}, so nothing can be restored from it")]
    SnapshotUnusable {
        /// Which.
        snapshot: SnapshotName,
        /// Where it is.
        status: SnapshotStatus,
    },
}

impl DatabaseRefusal {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoDatabase => "name its RDS instance under `database.instance` in the environment file".to_owned(),
            Self::NoPolicy => "add `database.backup` to the environment file; `env schema` describes it".to_owned(),
            Self::NotAvailable { .. } => "wait until it is available; `verify` shows its status".to_owned(),
            Self::SnapshotExists { .. } => "choose another --name, or leave it out".to_owned(),
            Self::QuotaReached { .. } => {
                "run `backup ENV prune`, delete snapshots that others made, or have AWS raise the quota".to_owned()
            }
            Self::NoKeyAbroad => "add `database.backup.copy.kms_key` to the environment file".to_owned(),
            Self::InstanceExists { .. } => {
                "choose another --as: a restore never goes over an instance that exists, the source least of all".to_owned()
            }
            Self::NoPointInTime { .. } => {
                "restore a snapshot (`backup ENV list`), and set the backup retention of the instance (Terraform module `database`)"
                    .to_owned()
            }
            Self::OutsideWindow { .. } => {
                "choose a moment between the two, or `latest`, or a snapshot (`backup ENV list`)".to_owned()
            }
            Self::UnknownSnapshot { known, .. } if known.is_empty() => "no snapshot can be restored; `--to latest` may".to_owned(),
            Self::UnknownSnapshot { known, .. } => {
                let known: Vec<String> = known.iter().map(ToString::to_string).collect();
                format!("the newest are {}; `backup ENV list` shows all", known.join(", "))
            }
            Self::SnapshotUnusable { .. } => "choose another one with `backup ENV list`".to_owned(),
        }
    }
}

fn stamp(at: OffsetDateTime) -> String {
    at.replace_nanosecond(0)
        .unwrap_or(at)
        .format(&Rfc3339)
        .unwrap_or_default()
}

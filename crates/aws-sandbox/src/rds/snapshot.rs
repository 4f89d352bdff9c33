//! One snapshot: a base backup on disk, what it was taken of, and the states it passes through.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use super::arn::is_identifier;
use super::error::RdsError;
use super::instance::Instance;

/// What is kept about a snapshot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    pub(crate) identifier: String,
    pub(crate) kind: Kind,
    /// The name of its folder.
    pub(crate) files: String,
    /// The instance as it was.
    pub(crate) of: Instance,
    /// Where the instance is.
    pub(crate) region: String,
    /// When it was begun; everything that had committed before is in it.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
    pub(crate) status: SnapshotStatus,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) copy_of: Option<Original>,
    pub(crate) kms_key: Option<String>,
}

/// Who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// Counts against the quota and stays until somebody deletes it.
    Manual,
    /// Goes with the retention period.
    Automated,
}

/// Amazon RDS User Guide, "Viewing DB snapshot status"; `Failed` keeps the reason for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum SnapshotStatus {
    Creating {
        percent: u8,
    },
    Available {
        /// The moment its data is of: when the base backup ended.
        #[serde(with = "time::serde::rfc3339")]
        consistent: OffsetDateTime,
    },
    Deleting,
    Failed {
        reason: String,
    },
}

/// What a copy is a copy of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Original {
    pub(crate) region: String,
    pub(crate) arn: String,
    /// The folder that is copied.
    pub(crate) files: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
}

impl Kind {
    /// As the API writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Automated => "automated",
        }
    }
}

impl SnapshotStatus {
    /// As the API writes it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Creating { .. } => "creating",
            Self::Available { .. } => "available",
            Self::Deleting => "deleting",
            Self::Failed { .. } => "failed",
        }
    }

    /// 0 to 100.
    pub(super) fn percent(&self) -> u8 {
        match self {
            Self::Creating { percent } => *percent,
            Self::Available { .. } | Self::Deleting => 100,
            Self::Failed { .. } => 0,
        }
    }

    /// When its data is from, if it can be restored.
    pub(super) fn consistent(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Available { consistent } => Some(*consistent),
            Self::Creating { .. } | Self::Deleting | Self::Failed { .. } => None,
        }
    }
}

/// Amazon RDS API Reference, `CreateDBSnapshot`, `DBSnapshotIdentifier`.
pub(super) fn check_identifier(identifier: &str) -> Result<(), RdsError> {
    if is_identifier(identifier, 255) {
        return Ok(());
    }
    Err(RdsError::Invalid(format!(
        "DBSnapshotIdentifier `{identifier}` must begin with a letter and have only letters, digits and single hyphens, at most 255"
    )))
}

/// `rds:app-2026-01-31-00-05`; with a number behind it when there is one of that minute, as where a minute is short.
pub(super) fn automated_identifier(instance: &str, at: OffsetDateTime, is_taken: impl Fn(&str) -> bool) -> String {
    let minute = at
        .format(format_description!("[year]-[month]-[day]-[hour]-[minute]"))
        .unwrap_or_default();
    let plain = format!("rds:{instance}-{minute}");
    if !is_taken(&plain) {
        return plain;
    }
    let numbered = (2_u32..).map(|number| format!("{plain}-{number}"));
    numbered.into_iter().find(|name| !is_taken(name)).unwrap_or(plain)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn automated_snapshots_are_named_by_the_minute() {
        let at = datetime!(2026-01-31 00:05:59 UTC);
        let name = automated_identifier("app", at, |_| false);
        assert_eq!(name, "rds:app-2026-01-31-00-05");
        assert_eq!(
            automated_identifier("app", at, |taken| taken == name),
            format!("{name}-2")
        );
    }

    #[test]
    fn percentages_end_where_the_state_does() {
        let available = SnapshotStatus::Available {
            consistent: OffsetDateTime::UNIX_EPOCH,
        };
        let failed = SnapshotStatus::Failed { reason: "full".into() };
        for (status, name, percent) in [
            (SnapshotStatus::Creating { percent: 40 }, "creating", 40),
            (available, "available", 100),
            (SnapshotStatus::Deleting, "deleting", 100),
            (failed, "failed", 0),
        ] {
            assert_eq!((status.name(), status.percent()), (name, percent));
        }
    }
}

//! RDS's statuses, sorted by what they mean for whoever waits.

use std::fmt;

/// Where an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InstanceStatus {
    /// It serves.
    Available,
    /// On its way somewhere; in RDS's word.
    Busy(String),
    /// It will not serve without a person; in RDS's word.
    Broken(String),
    /// On its way out.
    Deleting,
}

/// Amazon RDS User Guide, "Viewing Amazon RDS DB instance status".
const BROKEN_INSTANCE: [&str; 13] = [
    "failed",
    "restore-error",
    "storage-full",
    "insufficient-capacity",
    "incompatible-create",
    "incompatible-credentials",
    "incompatible-network",
    "incompatible-option-group",
    "incompatible-parameters",
    "incompatible-restore",
    "inaccessible-encryption-credentials",
    "inaccessible-encryption-credentials-recoverable",
    "stopped",
];

impl InstanceStatus {
    /// From RDS's word.
    pub fn of(word: &str) -> Self {
        match word {
            "available" | "storage-optimization" | "storage-config-upgrade" => Self::Available,
            "deleting" => Self::Deleting,
            _ if BROKEN_INSTANCE.contains(&word) => Self::Broken(word.to_owned()),
            _ => Self::Busy(word.to_owned()),
        }
    }
}

impl fmt::Display for InstanceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Available => f.write_str("available"),
            Self::Deleting => f.write_str("deleting"),
            Self::Busy(word) | Self::Broken(word) => f.write_str(word),
        }
    }
}

/// Where a snapshot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotStatus {
    /// It can be restored.
    Available,
    /// Being made or copied; in RDS's word.
    Busy(String),
    /// It will never be restorable; in RDS's word.
    Broken(String),
    /// On its way out.
    Deleting,
}

impl SnapshotStatus {
    /// From RDS's word (Amazon RDS API Reference, `DBSnapshot`). `incompatible-…` and the loss of a key end it as `failed` does.
    pub fn of(word: &str) -> Self {
        match word {
            "available" => Self::Available,
            "deleting" | "deleted" => Self::Deleting,
            "failed" | "error" | "storage-full" | "inaccessible-encryption-credentials" => {
                Self::Broken(word.to_owned())
            }
            _ if word.starts_with("incompatible-") => Self::Broken(word.to_owned()),
            _ => Self::Busy(word.to_owned()),
        }
    }
}

impl fmt::Display for SnapshotStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Available => f.write_str("available"),
            Self::Deleting => f.write_str("deleting"),
            Self::Busy(word) | Self::Broken(word) => f.write_str(word),
        }
    }
}

//! What an instance is given when it is created or restored, and what can be changed later.

use serde::{Deserialize, Serialize};

/// Amazon RDS API Reference, `CreateDBInstance`; AWS's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) class: String,
    pub(crate) allocated_gigabytes: u32,
    /// Zero: no automated backups.
    #[serde(default)]
    pub(crate) backup_retention_days: u8,
    #[serde(default)]
    pub(crate) zones: Zones,
    #[serde(default)]
    pub(crate) publicly_accessible: bool,
    #[serde(default)]
    pub(crate) deletion_protection: bool,
    #[serde(default)]
    pub(crate) copy_tags_to_snapshot: bool,
    #[serde(default = "default_group")]
    pub(crate) subnet_group: String,
    #[serde(default = "default_security_groups")]
    pub(crate) security_groups: Vec<String>,
    /// None: the default of the engine's version.
    #[serde(default)]
    pub(crate) parameter_group: Option<String>,
    /// The key of an encrypted instance. A name only; files are not encrypted.
    #[serde(default)]
    pub(crate) kms_key: Option<String>,
}

/// Where the instance is. A second zone makes a fail-over possible.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Zones {
    #[default]
    One,
    /// With a standby; a fail-over swaps the two.
    Two { primary: Zone },
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Zone {
    #[default]
    A,
    B,
}

impl Settings {
    /// AWS's defaults, but no automated backups.
    pub(crate) fn new(class: &str, allocated_gigabytes: u32) -> Self {
        Self {
            class: class.to_owned(),
            allocated_gigabytes,
            backup_retention_days: 0,
            zones: Zones::One,
            publicly_accessible: false,
            deletion_protection: false,
            copy_tags_to_snapshot: false,
            subnet_group: default_group(),
            security_groups: default_security_groups(),
            parameter_group: None,
            kms_key: None,
        }
    }
}

impl Zones {
    pub(super) fn multi_az(multi: bool) -> Self {
        if multi {
            Self::Two { primary: Zone::A }
        } else {
            Self::One
        }
    }

    /// The zone clients are served from.
    pub(super) fn serving(self) -> Zone {
        match self {
            Self::One => Zone::A,
            Self::Two { primary } => primary,
        }
    }

    /// After a fail-over.
    pub(super) fn swapped(self) -> Self {
        match self {
            Self::One => Self::One,
            Self::Two { primary } => Self::Two {
                primary: primary.other(),
            },
        }
    }
}

impl Zone {
    pub(super) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// `eu-central-1a`
    pub(super) fn name(self, region: &str) -> String {
        let letter = match self {
            Self::A => 'a',
            Self::B => 'b',
        };
        format!("{region}{letter}")
    }
}

/// The group every account has.
pub(super) const DEFAULT_GROUP: &str = "default";

fn default_group() -> String {
    DEFAULT_GROUP.to_owned()
}

fn default_security_groups() -> Vec<String> {
    vec!["sg-default".to_owned()]
}

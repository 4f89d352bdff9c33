//! Subnet groups and parameter groups: names that an instance is attached to. They have no effect on its server.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::error::RdsError;
use super::settings::DEFAULT_GROUP;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupKind {
    Subnet,
    Parameter,
}

/// The groups of one Region, apart from those every account has. The values are their descriptions.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Groups {
    subnet: BTreeMap<String, String>,
    parameter: BTreeMap<String, String>,
}

impl GroupKind {
    /// Amazon RDS API Reference, `RestoreDBInstanceToPointInTime`, "Errors".
    pub(super) fn not_found(self) -> &'static str {
        match self {
            Self::Subnet => "DBSubnetGroupNotFoundFault",
            Self::Parameter => "DBParameterGroupNotFound",
        }
    }

    /// Amazon RDS API Reference, `CreateDBSubnetGroup` and `CreateDBParameterGroup`, "Errors".
    pub(super) fn exists(self) -> &'static str {
        match self {
            Self::Subnet => "DBSubnetGroupAlreadyExists",
            Self::Parameter => "DBParameterGroupAlreadyExists",
        }
    }
}

impl fmt::Display for GroupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subnet => "DBSubnetGroup",
            Self::Parameter => "DBParameterGroup",
        })
    }
}

impl Groups {
    fn of(&self, kind: GroupKind) -> &BTreeMap<String, String> {
        match kind {
            GroupKind::Subnet => &self.subnet,
            GroupKind::Parameter => &self.parameter,
        }
    }

    pub(super) fn add(&mut self, kind: GroupKind, name: &str, description: &str) -> Result<(), RdsError> {
        if is_everywhere(kind, name) || self.of(kind).contains_key(name) {
            return Err(RdsError::GroupExists {
                kind,
                name: name.to_owned(),
            });
        }
        let groups = match kind {
            GroupKind::Subnet => &mut self.subnet,
            GroupKind::Parameter => &mut self.parameter,
        };
        groups.insert(name.to_owned(), description.to_owned());
        Ok(())
    }

    /// Refuses a name that nobody made.
    pub(super) fn check(&self, kind: GroupKind, name: &str) -> Result<(), RdsError> {
        if is_everywhere(kind, name) || self.of(kind).contains_key(name) {
            return Ok(());
        }
        Err(RdsError::GroupNotFound {
            kind,
            name: name.to_owned(),
        })
    }

    /// With the description, in the order of the names; those every account has come first.
    pub(super) fn list(&self, kind: GroupKind, engine_major: &str) -> Vec<(String, String)> {
        let everywhere = match kind {
            GroupKind::Subnet => DEFAULT_GROUP.to_owned(),
            GroupKind::Parameter => format!("default.postgres{engine_major}"),
        };
        let own = self.of(kind).iter();
        let own = own.map(|(name, description)| (name.clone(), description.clone()));
        std::iter::once((everywhere, "default".to_owned())).chain(own).collect()
    }
}

fn is_everywhere(kind: GroupKind, name: &str) -> bool {
    match kind {
        GroupKind::Subnet => name == DEFAULT_GROUP,
        GroupKind::Parameter => name.starts_with("default.postgres"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_there_once_it_was_made() {
        let mut groups = Groups::default();
        for (kind, everywhere) in [
            (GroupKind::Subnet, "default"),
            (GroupKind::Parameter, "default.postgres15"),
        ] {
            groups.check(kind, everywhere).unwrap();
            assert!(matches!(
                groups.check(kind, "mine"),
                Err(RdsError::GroupNotFound { .. })
            ));
            groups.add(kind, "mine", "of mine").unwrap();
            groups.check(kind, "mine").unwrap();
            assert!(matches!(
                groups.add(kind, "mine", ""),
                Err(RdsError::GroupExists { .. })
            ));
            let names: Vec<_> = groups.list(kind, "15").into_iter().map(|(name, _)| name).collect();
            assert_eq!(names, [everywhere, "mine"]);
        }
    }
}

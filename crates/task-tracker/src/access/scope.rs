//! What an API token may do. A session may do everything its user may.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One permission of an API token: what it is about, and whether it may change that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub(crate) enum Scope {
    /// See projects, their members and invitations.
    #[serde(rename = "projects:read")]
    ProjectsRead,
    /// Change projects, their members and invitations.
    #[serde(rename = "projects:write")]
    ProjectsWrite,
    /// See tasks.
    #[serde(rename = "tasks:read")]
    TasksRead,
    /// Change tasks.
    #[serde(rename = "tasks:write")]
    TasksWrite,
}

impl Scope {
    pub(crate) const ALL: [Self; 4] = [
        Self::ProjectsRead,
        Self::ProjectsWrite,
        Self::TasksRead,
        Self::TasksWrite,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ProjectsRead => "projects:read",
            Self::ProjectsWrite => "projects:write",
            Self::TasksRead => "tasks:read",
            Self::TasksWrite => "tasks:write",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_reads_as_it_is_written() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.as_str()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.as_str());
        }
        assert_eq!(Scope::parse("tasks"), None);
    }
}

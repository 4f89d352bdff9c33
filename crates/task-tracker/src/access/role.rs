//! What a user is in a project.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A viewer sees, an editor also changes tasks, an owner also changes the project and who is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    Owner,
    Editor,
    Viewer,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Editor => "editor",
            Self::Viewer => "viewer",
        }
    }

    /// May change tasks.
    pub(crate) fn edits(self) -> bool {
        match self {
            Self::Owner | Self::Editor => true,
            Self::Viewer => false,
        }
    }

    /// May change the project itself.
    pub(crate) fn owns(self) -> bool {
        match self {
            Self::Owner => true,
            Self::Editor | Self::Viewer => false,
        }
    }
}

/// A row holds a role that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown role `{0}`")]
pub(crate) struct UnknownRole(String);

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        [Self::Owner, Self::Editor, Self::Viewer]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or(UnknownRole(text))
    }
}

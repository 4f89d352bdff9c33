//! Task definitions: families and their revisions.

use aws_sdk_ecs::types::{TaskDefinition, TaskDefinitionStatus};
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::ecs::codec::Wire;

/// The revisions of one family, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) revisions: Vec<Definition>,
}

/// One revision. Deregistered ones stay: services and tasks may still refer to them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Definition {
    pub(crate) shape: Wire<TaskDefinition>,
    pub(crate) tags: Tags,
}

impl Family {
    /// The revision of this number, or the newest active one.
    pub(super) fn revision(&self, number: Option<i32>) -> Option<&Definition> {
        match number {
            Some(number) => self
                .revisions
                .iter()
                .find(|definition| definition.shape.0.revision() == number),
            None => self.revisions.iter().rev().find(|definition| definition.is_active()),
        }
    }

    /// Numbers are never used twice, not even after a deregistration.
    pub(crate) fn next_number(&self) -> i32 {
        self.revisions.last().map_or(1, |last| last.shape.0.revision() + 1)
    }
}

impl Definition {
    pub(crate) fn arn(&self) -> &str {
        self.shape.0.task_definition_arn().unwrap_or_default()
    }

    pub(crate) fn family(&self) -> &str {
        self.shape.0.family().unwrap_or_default()
    }

    pub(crate) fn is_active(&self) -> bool {
        self.shape.0.status() == Some(&TaskDefinitionStatus::Active)
    }
}

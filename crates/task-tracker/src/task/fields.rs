//! What a task is made of, as clients may write it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, UtcOffset};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{problem::Problem, task::any_of::Word};

/// How far a task is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    #[default]
    Open,
    InProgress,
    Done,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::InProgress => "in_progress",
            Self::Done => "done",
        }
    }
}

impl Word for Status {
    const ALL: &'static [Self] = &[Self::Open, Self::InProgress, Self::Done];

    fn as_str(self) -> &'static str {
        self.as_str()
    }
}

/// How much it matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Priority {
    #[default]
    None,
    Low,
    Medium,
    High,
    Urgent,
}

impl Priority {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Its place among the others, what matters most first; the list of tasks has the same in SQL.
    pub(super) fn place(self) -> i32 {
        match self {
            Self::Urgent => 1,
            Self::High => 2,
            Self::Medium => 3,
            Self::Low => 4,
            Self::None => 5,
        }
    }
}

impl Word for Priority {
    const ALL: &'static [Self] = &[Self::None, Self::Low, Self::Medium, Self::High, Self::Urgent];

    fn as_str(self) -> &'static str {
        self.as_str()
    }
}

/// A point in time in the years 1 to 9999 of UTC: others PostgreSQL would take, and write in ways that RFC 3339 does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Written", into = "Written")]
#[schema(value_type = String, format = DateTime)]
pub(crate) struct Moment(OffsetDateTime);

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Written(#[serde(with = "time::serde::rfc3339")] OffsetDateTime);

impl TryFrom<Written> for Moment {
    type Error = &'static str;

    fn try_from(Written(moment): Written) -> Result<Self, Self::Error> {
        moment
            .checked_to_offset(UtcOffset::UTC)
            .filter(|moment| (1..=9999).contains(&moment.year()))
            .map(Self)
            .ok_or("a date is in the years 1 to 9999 of UTC")
    }
}

impl From<Moment> for Written {
    fn from(moment: Moment) -> Self {
        Self(moment.0)
    }
}

impl Moment {
    /// What was kept was one when it came.
    pub(super) fn kept(moment: OffsetDateTime) -> Self {
        Self(moment.to_offset(UtcOffset::UTC))
    }
}

impl From<Moment> for OffsetDateTime {
    fn from(moment: Moment) -> Self {
        moment.0
    }
}

/// Up to 20 different ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(try_from = "Vec<Uuid>")]
#[schema(value_type = Vec<Uuid>, max_items = 20)]
pub(crate) struct Few(BTreeSet<Uuid>);

impl TryFrom<Vec<Uuid>> for Few {
    type Error = &'static str;

    fn try_from(ids: Vec<Uuid>) -> Result<Self, Self::Error> {
        if ids.len() > 20 {
            return Err("a task has at most 20 assignees and 20 labels");
        }
        Ok(Self(ids.into_iter().collect()))
    }
}

impl From<Few> for Vec<Uuid> {
    fn from(few: Few) -> Self {
        few.0.into_iter().collect()
    }
}

/// The predicate that assignees are members, labels are labels and the parent is a task of this project; null is no change.
macro_rules! of_the_project {
    ($project:literal, $assignees:literal, $labels:literal, $parent:literal) => {
        concat!(
            crate::task::of_the_project!($project, $assignees, $labels),
            " and (",
            $parent,
            "::uuid is null or exists (
                select from tasks as parent where parent.id = ",
            $parent,
            " and parent.project_id = ",
            $project,
            "))"
        )
    };
    ($project:literal, $assignees:literal, $labels:literal) => {
        concat!(
            "(",
            $assignees,
            "::uuid[] is null or cardinality(",
            $assignees,
            ") = (
                select count(*) from memberships as assigned
                where assigned.project_id = ",
            $project,
            " and assigned.user_id = any(",
            $assignees,
            ")))
             and (",
            $labels,
            "::uuid[] is null or cardinality(",
            $labels,
            ") = (
                select count(*) from labels where labels.project_id = ",
            $project,
            " and labels.id = any(",
            $labels,
            ")))"
        )
    };
}
pub(crate) use of_the_project;

/// Somebody or something named in a task is not of its project.
pub(super) fn of_elsewhere() -> Problem {
    Problem::Rule("assignees are members of the project; labels are labels, and the parent is a task, of the project")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_due_date_can_be_kept_and_written() {
        for (text, accepted) in [
            ("2026-11-23T17:00:00Z", true),
            ("2026-11-23T17:00:00.5+14:00", true),
            ("0182-06-14T03:00:12Z", true),
            ("9999-12-31T23:59:59Z", true),
            ("9999-12-31T23:59:59-01:00", false),
            ("0000-12-31T23:59:59Z", false),
            ("0001-01-01T00:00:00+01:00", false),
            ("tomorrow", false),
        ] {
            let read: Result<Moment, _> = serde_json::from_value(text.into());
            assert_eq!(read.is_ok(), accepted, "{text}");
        }
    }
}

//! What a change of many tasks may ask for.

use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    extract::{Nullable, Whole, present},
    problem::Problem,
    task::fields::{Few, Moment, Priority, Status},
};

/// Which tasks, and one thing to do with them.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 2, max_properties = 2)]
pub(crate) struct BulkChange {
    /// Each once.
    pub(super) tasks: Chosen,
    /// What all of them are to be.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) change: Option<BulkFields>,
    /// Where all of them are to stand, in the order in which they are named.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) r#move: Option<BulkMove>,
    /// That they are to be deleted.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) delete: Option<BulkDelete>,
}

/// One of them.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChosenTask {
    id: Uuid,
    /// The version it must have, as `If-Match` would say; any when left out.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>, nullable = false, minimum = 1, maximum = 9_007_199_254_740_991_i64)]
    version: Option<Whole<1, 9_007_199_254_740_991>>,
}

/// 1 to 100 of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(try_from = "Vec<ChosenTask>")]
#[schema(value_type = Vec<ChosenTask>, min_items = 1, max_items = 100)]
pub(crate) struct Chosen(Vec<ChosenTask>);

impl TryFrom<Vec<ChosenTask>> for Chosen {
    type Error = &'static str;

    fn try_from(tasks: Vec<ChosenTask>) -> Result<Self, Self::Error> {
        if (1..=100).contains(&tasks.len()) {
            Ok(Self(tasks))
        } else {
            Err("name 1 to 100 tasks")
        }
    }
}

impl Chosen {
    pub(super) fn ids(&self) -> Vec<Uuid> {
        self.0.iter().map(|task| task.id).collect()
    }

    pub(super) fn versions(&self) -> Vec<Option<i64>> {
        self.0.iter().map(|task| task.version.map(Whole::get)).collect()
    }
}

/// What is to change; at least one field.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(min_properties = 1)]
pub(crate) struct BulkFields {
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) status: Option<Status>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) priority: Option<Priority>,
    /// Null takes the due date away.
    #[serde(default)]
    #[schema(value_type = Option<Moment>)]
    pub(super) due_at: Nullable<Moment>,
    /// The task of the same project to be a part of; null lets them stand by themselves.
    #[serde(default)]
    #[schema(value_type = Option<Uuid>)]
    pub(super) parent_id: Nullable<Uuid>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) add_assignee_ids: Option<Few>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) remove_assignee_ids: Option<Few>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) add_label_ids: Option<Few>,
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) remove_label_ids: Option<Few>,
}

impl BulkFields {
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            status,
            priority,
            due_at,
            parent_id,
            add_assignee_ids,
            remove_assignee_ids,
            add_label_ids,
            remove_label_ids,
        } = self;
        let sets = [add_assignee_ids, remove_assignee_ids, add_label_ids, remove_label_ids];
        let states = status.is_none() && priority.is_none() && due_at.is_absent() && parent_id.is_absent();
        states && sets.into_iter().all(Option::is_none)
    }
}

/// Right behind one task, right before another, or at the end when neither is named.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkMove {
    /// A task of the same project to stand behind, which is none of them.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) after: Option<Uuid>,
    /// A task of the same project to stand before, which is none of them; not together with `after`.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) before: Option<Uuid>,
    /// The column to move to.
    #[serde(default, deserialize_with = "present")]
    #[schema(nullable = false)]
    pub(super) status: Option<Status>,
}

/// Nothing more is to be said.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BulkDelete {}

/// The one thing to do.
#[derive(Clone, Copy)]
pub(super) enum What<'b> {
    Set(&'b BulkFields),
    Put(&'b BulkMove),
    Delete,
}

impl BulkChange {
    pub(super) fn what(&self) -> Result<What<'_>, Problem> {
        match (&self.change, &self.r#move, &self.delete) {
            (Some(fields), None, None) if !fields.is_empty() => Ok(What::Set(fields)),
            (None, Some(place), None) => Ok(What::Put(place)),
            (None, None, Some(BulkDelete {})) => Ok(What::Delete),
            _ => Err(Problem::Invalid {
                detail: "name one of `change`, `move` and `delete`, and in a change at least one field".into(),
            }),
        }
    }
}

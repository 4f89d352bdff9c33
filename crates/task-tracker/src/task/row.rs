//! A task as the columns of a row: PostgreSQL hands over what it has, and JSON is written once, here.

use tokio_postgres::Row;

use super::{Priority, Status, Task, any_of::Word, tree::Subtasks};
use crate::{database::column, problem::Problem, version::Version};

/// The columns that `Task::read` takes, of a row of tasks with `around!` joined to it.
macro_rules! columns {
    ($task:literal) => {
        concat!(
            $task,
            ".id, ",
            $task,
            ".project_id, ",
            $task,
            ".title, ",
            $task,
            ".description, ",
            $task,
            ".status, ",
            $task,
            ".priority, ",
            $task,
            ".due_at, ",
            crate::task::rank::of!($task),
            ", ",
            $task,
            ".assignee_ids, ",
            $task,
            ".label_ids, place.parent_id, parts.total, parts.done, ",
            $task,
            ".version, ",
            $task,
            ".created_at, ",
            $task,
            ".updated_at"
        )
    };
}
pub(super) use columns;

/// Joins what a task is a part of, and what its own parts are, to a row of tasks: two looks into small indexes for each row.
macro_rules! around {
    ($task:literal) => {
        concat!(
            " left join subtasks as place on place.task_id = ",
            $task,
            ".id
             cross join lateral (
                select count(*) as total, count(*) filter (where part.status = 'done') as done
                from subtasks as link join tasks as part on part.id = link.task_id where link.parent_id = ",
            $task,
            ".id
             ) as parts "
        )
    };
}
pub(super) use around;

impl Task {
    /// Out of the columns of `columns!`.
    pub(super) fn read(row: &Row) -> Result<Self, Problem> {
        Ok(Self {
            id: column(row, 0)?,
            project_id: column(row, 1)?,
            title: column(row, 2)?,
            description: column(row, 3)?,
            status: known(Status::parse(column(row, 4)?))?,
            priority: known(Priority::parse(column(row, 5)?))?,
            due_at: column(row, 6)?,
            rank: column(row, 7)?,
            assignee_ids: column(row, 8)?,
            label_ids: column(row, 9)?,
            parent_id: column(row, 10)?,
            subtasks: Subtasks::of(column(row, 11)?, column(row, 12)?),
            version: Version::from(column::<i64>(row, 13)?),
            created_at: column(row, 14)?,
            updated_at: column(row, 15)?,
        })
    }
}

/// The schema lets no other word in; a newer one might.
fn known<T>(word: Option<T>) -> Result<T, Problem> {
    word.ok_or_else(|| {
        tracing::error!("a task has a word that this release does not know");
        Problem::Internal
    })
}

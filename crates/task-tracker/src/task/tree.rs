//! Subtasks: which task is a part of which.
//!
//! The database keeps them a tree (migration 0004): of one project, without circles, five deep, a hundred to a task; whoever
//! changes a project's tree waits for who is at it. A task takes its parts along when it becomes a part itself. When it is
//! deleted, they stay, and stand by themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{problem::Problem, task::fields::of_elsewhere, write::Failed};

/// How many parts a task has, without theirs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) struct Subtasks {
    total: u32,
    done: u32,
}

impl Subtasks {
    pub(super) fn of(total: i64, done: i64) -> Self {
        let count = |count| u32::try_from(count).unwrap_or_default();
        Self {
            total: count(total),
            done: count(done),
        }
    }

    /// In all, and done.
    pub(super) fn counts(self) -> [u32; 2] {
        [self.total, self.done]
    }
}

/// The `Subtasks` of a row of tasks.
macro_rules! counted {
    ($task:literal) => {
        concat!(
            "(select jsonb_build_object('total', count(*), 'done', count(*) filter (where part.status = 'done'))
              from subtasks as link join tasks as part on part.id = link.task_id where link.parent_id = ",
            $task,
            ".id)"
        )
    };
}
pub(super) use counted;

/// The CTEs that put the tasks `new` below `$parent`, or let them stand by themselves when that is null; nothing unless
/// `$asked`.
macro_rules! placed {
    ($asked:literal, $parent:literal) => {
        concat!(
            "apart as (
                delete from subtasks using new where ",
            $asked,
            " and ",
            $parent,
            "::uuid is null and subtasks.task_id = new.id
             ), below as (
                insert into subtasks (task_id, parent_id, project_id)
                select new.id, ",
            $parent,
            ", new.project_id from new where ",
            $parent,
            "::uuid is not null
                on conflict (task_id) do update set parent_id = excluded.parent_id
             )"
        )
    };
}
pub(super) use placed;

/// The parent of a row of tasks behind these CTEs.
macro_rules! parent {
    ($task:literal, $asked:literal, $parent:literal) => {
        concat!(
            "case when ",
            $asked,
            " then ",
            $parent,
            "::uuid else (select link.parent_id from subtasks as link where link.task_id = ",
            $task,
            ".id) end"
        )
    };
}
pub(super) use parent;

/// The CTEs that give the parts of the tasks `gone`, which stand by themselves now, a new version; but for those that go too. Ends
/// in `also`.
macro_rules! freed {
    ($gone:literal) => {
        concat!(
            "parts as (
                select tasks.*, subtasks.parent_id from gone join subtasks on subtasks.parent_id = gone.id
                join tasks on tasks.id = subtasks.task_id
                where tasks.id <> all(",
            $gone,
            ")
                order by tasks.id for no key update of tasks
             ), freed as (
                update tasks set version = tasks.version + 1, updated_at = now() from parts where tasks.id = parts.id
                returning tasks.*
             ), also as (
                select 'task.changed' as action, freed.project_id as project, freed.id as target, ",
            crate::row::object!("parts", version, parent_id, updated_at),
            " as before, ",
            crate::row::object!("freed", version, parent_id = "null::uuid", updated_at),
            " as after from parts join freed on freed.id = parts.id
             )"
        )
    };
}
pub(super) use freed;

/// What the tree does not allow.
pub(crate) fn refused(failed: Failed) -> Problem {
    let Failed::Constraint(constraint) = &failed else {
        return failed.into();
    };
    match constraint.as_str() {
        "subtasks_no_circle" => Problem::Rule("a task is no part of itself, nor of one of its parts"),
        "subtasks_not_too_deep" => Problem::Rule("tasks stand five deep at most"),
        "subtasks_not_too_many" => Problem::Rule("a task has at most 100 subtasks"),
        // The parent went away meanwhile.
        "subtasks_parent_id_fkey" | "subtasks_one_project" => of_elsewhere(),
        _ => failed.into(),
    }
}

//! The statements of an erasure that look through what there may be any amount of, whether or not it has to do with the user:
//! in the order of an index, so much at a time, from where the one before ended.

use uuid::Uuid;

use super::erasing::{mine, nameless};
use crate::row::object;

/// What is looked through from its beginning.
pub(super) enum Look {
    /// The tasks of a project that the user was in, whose assignees change.
    Tasks(Uuid),
    /// What was answered within the last day to somebody of such a project.
    Answers(Uuid),
    /// The record of such a project.
    Record(Uuid),
    /// A refused login names an account, and a filter of one's own may name anybody.
    RecordOfNoProject,
}

/// The projects in which the user was.
pub(super) const PROJECTS: &str = "select project_id from erasure_projects where user_id = $1 order by project_id";

/// Who is in them.
pub(super) const PEOPLE: &str = "select distinct memberships.user_id
     from erasure_projects as listed join memberships on memberships.project_id = listed.project_id
     where listed.user_id = $1 order by memberships.user_id";

impl Look {
    /// `$4` of its statement.
    pub(super) fn of(&self) -> Option<Uuid> {
        match self {
            Self::Tasks(id) | Self::Answers(id) | Self::Record(id) => Some(*id),
            Self::RecordOfNoProject => None,
        }
    }

    /// Where it begins: what is behind that is looked at.
    pub(super) fn beginning(&self) -> (String, String) {
        let (first, second) = match self {
            Self::Tasks(_) => ("00000000-0000-0000-0000-000000000000", ""),
            Self::Answers(_) => ("", ""),
            Self::Record(_) | Self::RecordOfNoProject => ("0", "-1"),
        };
        (first.to_owned(), second.to_owned())
    }

    /// What is behind `$5` and `$6` is looked at, and where that ended is given.
    pub(super) fn sql(&self) -> &'static str {
        match self {
            Self::Tasks(_) => TASKS,
            Self::Answers(_) => ANSWERS,
            Self::Record(_) => RECORD,
            Self::RecordOfNoProject => RECORD_OF_NO_PROJECT,
        }
    }
}

const TASKS: &str = concat!(
    mine!(),
    ", looked as materialized (
        select tasks.id, $1 = any(tasks.assignee_ids) as names from tasks
        where tasks.project_id = $4 and tasks.id > $5::text::uuid
        order by tasks.id limit $3
     ), old as materialized (
        select tasks.* from mine cross join looked join tasks on tasks.id = looked.id
        where looked.names and $1 = any(tasks.assignee_ids)
        order by tasks.id for no key update of tasks
     ), freed as (
        update tasks
        set assignee_ids = array_remove(tasks.assignee_ids, $1), version = tasks.version + 1, updated_at = now()
        from old where tasks.id = old.id
        returning tasks.*
     ), told as (
        insert into events (action, project_id, target_id, before, after)
        select 'task.changed', freed.project_id, freed.id,
               jsonb_set(",
    object!("old", assignee_ids, version, updated_at),
    ", '{assignee_ids}', to_jsonb(array_replace(old.assignee_ids, $1, mine.pseudonym))), ",
    object!("freed", assignee_ids, version, updated_at),
    " from mine cross join old join freed on freed.id = old.id
     )
     select looked.id::text, '' from looked, mine order by looked.id desc limit 1"
);

const ANSWERS: &str = concat!(
    mine!(),
    ", looked as materialized (
        select operation, key, answer::text like '%' || $1 || '%' as names from idempotency_keys
        where idempotency_keys.user_id = $4 and (operation, key) > ($5, $6)
        order by operation, key limit $3
     ), freed as (
        update idempotency_keys as kept
        set answer = replace((case when kept.answer ->> 'user_id' = $1::text then kept.answer - 'name' else kept.answer end)::text,
                             mine.user_id::text, mine.pseudonym::text)::jsonb
        from looked, mine
        where looked.names and kept.user_id = $4 and kept.operation = looked.operation and kept.key = looked.key
     )
     select looked.operation, looked.key from looked, mine order by looked.operation desc, looked.key desc limit 1"
);

macro_rules! record {
    ($which:literal) => {
        concat!(
            mine!(),
            ", fate as (
                select coalesce((select goes from erasure_projects where user_id = $1 and project_id = $4), false) as goes
             ), looked as materialized (
                select events.tx, events.id, events.target_id = $1 or events.before::text like '%' || $1 || '%'
                       or events.after::text like '%' || $1 || '%' as names
                from events
                where ",
            $which,
            " and (events.tx, events.id) > ($5::text::xid8, $6::text::bigint)
                order by events.project_id, events.tx, events.id limit $3
             ), told as (
                update events
                set target_id = case events.target_id when $1 then mine.pseudonym else events.target_id end,
                    before = case when not fate.goes then ",
            nameless!("before"),
            " end,
                    after = case when not fate.goes then ",
            nameless!("after"),
            " end
                from looked, mine, fate
                where events.id = looked.id and (looked.names or fate.goes)
             )
             select tx::text, id::text from looked, mine order by looked.tx desc, looked.id desc limit 1"
        )
    };
}

const RECORD: &str = record!("events.project_id = $4");
const RECORD_OF_NO_PROJECT: &str = record!("events.project_id is null");

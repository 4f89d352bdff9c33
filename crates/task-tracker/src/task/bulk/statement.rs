//! The three statements. `$9` is the project, `$10` and `$11` are the tasks and the versions that they must have.

use crate::{
    task::{
        fields::of_the_project,
        json,
        tree::{freed, parent, placed},
    },
    write::changes,
};

/// The tasks as they were asked for, locked in an order that two such requests share, and whether that is all of them.
macro_rules! all_of {
    ($columns:literal, $more:expr, $fits:literal) => {
        concat!(
            "asked as (
                select * from unnest($10::uuid[], $11::bigint[]) with ordinality as asked (id, version, place)
             ), old as (
                select tasks.*, asked.place",
            $columns,
            " from asked join tasks on tasks.id = asked.id
                join memberships on memberships.project_id = tasks.project_id
                where tasks.project_id = $9 and memberships.user_id = $1 and memberships.role in ('owner', 'editor')
                  and (asked.version is null or asked.version = tasks.version)",
            $more,
            "
                order by tasks.id
                for no key update of tasks
             ), whole as (
                select count(*) = cardinality($10) and ",
            $fits,
            " as fits from old
             )"
        )
    };
}

/// What the client is told of them.
macro_rules! told {
    () => {
        ", answer as (
            select jsonb_build_object('tasks', coalesce(
                jsonb_agg(jsonb_build_object('id', effect.after -> 'id', 'version', effect.after -> 'version',
                                             'status', effect.after -> 'status', 'rank', effect.after -> 'rank')
                          order by effect.place) filter (where effect.after is not null), '[]')) as after
            from effect having count(*) > 0
         )"
    };
}

pub(super) const SET: &str = changes!(
    all_of!(
        ", array(select one from unnest(tasks.assignee_ids || $16::uuid[]) as one
                 where one <> all($17::uuid[]) group by one order by one) as assigned,
           array(select one from unnest(tasks.label_ids || $18::uuid[]) as one
                 where one <> all($19::uuid[]) group by one order by one) as labelled",
        concat!(" and ", of_the_project!("$9", "$16", "$18", "$21")),
        "bool_and(cardinality(assigned) <= 20 and cardinality(labelled) <= 20)"
    ),
    ", new as (
        update tasks
        set status = coalesce($12, tasks.status), priority = coalesce($13, tasks.priority),
            due_at = case when $14 then $15 else tasks.due_at end,
            assignee_ids = old.assigned, label_ids = old.labelled,
            version = tasks.version + 1, updated_at = now()
        from old, whole where whole.fits and tasks.id = old.id
        returning tasks.*, old.place
     ), ",
    placed!("$20", "$21"),
    ", effect as (
        select new.project_id as project, new.id as target, new.place, ",
    json!("old"),
    " as before, ",
    json!("new", parent!("new", "$20", "$21")),
    " as after from old join new on new.id = old.id
     )",
    told!()
);

pub(super) const PUT: &str = changes!(
    all_of!("", "", "true"),
    ", new as (
        update tasks
        set rank = ($12::text[])[old.place], status = coalesce($13, tasks.status),
            version = tasks.version + 1, updated_at = now()
        from old, whole where whole.fits and tasks.id = old.id
        returning tasks.*, old.place
     ), effect as (
        select new.project_id as project, new.id as target, new.place, ",
    json!("old"),
    " as before, ",
    json!("new"),
    " as after from old join new on new.id = old.id
     )",
    told!()
);

pub(super) const DELETE: &str = changes!(
    also;
    all_of!("", "", "true"),
    ", gone as (
        delete from tasks using old, whole where whole.fits and tasks.id = old.id
        returning tasks.*, old.place
     ), ",
    freed!("$10"),
    ", effect as (
        select project_id as project, id as target, place, ",
    json!("gone"),
    " as before, null::jsonb as after from gone
     )",
    told!()
);

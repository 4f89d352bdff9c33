//! A label or an assignee that tasks have no longer: each task gets a new version, and an event of its own.
//!
//! A task takes about 0.1 ms with its event. So a change takes care of a thousand itself, which nobody notices, and leaves the others.

/// The CTEs that take `gone.$id` off the list `$column` of the first thousand tasks of `gone.project_id` that have it, and leave the
/// others as `$what`. They end in `also`.
macro_rules! taken_off {
    ($what:literal, $id:literal, $column:ident) => {
        concat!(
            crate::leftover::left_on!("gone", concat!("gone.", $id), "true", $column, "1000"),
            ", rest as (
                insert into leftovers (id, project_id, what, subject_id, actor_id, token_id, request_id, reached)
                select gen_random_uuid(), gone.project_id, '",
            $what,
            "', gone.",
            $id,
            ", $1, $2, $4, (select id from bearers order by id desc limit 1)
                from gone where (select count(*) from bearers) = 1000
             ), also as (
                select 'task.changed' as action, bare.project_id as project, bare.id as target, ",
            crate::row::object!("loaded", $column, version, updated_at),
            " as before, ",
            crate::row::object!("bare", $column, version, updated_at),
            " as after from loaded join bare on bare.id = loaded.id
             )"
        )
    };
}
pub(crate) use taken_off;

/// The CTEs that take `$id` off the list `$column` of `$most` tasks of the project of the row `$of`, those of which `$more` is true:
/// `loaded` is how they were, `bare` how they are. `bearers` names them, whatever became of them meanwhile.
macro_rules! left_on {
    ($of:literal, $id:expr, $more:expr, $column:ident, $most:literal) => {
        concat!(
            "bearers as materialized (
                select found.id, ",
            $id,
            " as one from ",
            $of,
            // One project at a time, or its tasks might be looked for among all there are.
            " cross join lateral (
                    select tasks.id from tasks where tasks.project_id = ",
            $of,
            ".project_id and ",
            $id,
            " = any(tasks.",
            stringify!($column),
            ") and ",
            $more,
            " order by tasks.id limit ",
            $most,
            "
                ) as found
             ), loaded as (
                select tasks.*, bearers.one from bearers join tasks on tasks.id = bearers.id
                where bearers.one = any(tasks.",
            stringify!($column),
            ") order by tasks.id for no key update of tasks
             ), bare as (
                update tasks
                set ",
            stringify!($column),
            " = array_remove(tasks.",
            stringify!($column),
            ", loaded.one), version = tasks.version + 1, updated_at = now()
                from loaded where tasks.id = loaded.id
                returning tasks.*
             )"
        )
    };
}
pub(crate) use left_on;

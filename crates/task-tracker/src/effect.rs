//! What the statement of a change ends in when it is about one row: the CTE `effect` that `write` makes the event and the
//! answer of.
//!
//! `$project` is where the change is told, in SQL: its members read of it. Null is for what is nobody else's business.

/// Of the row `made`.
macro_rules! made {
    ($project:expr, $json:expr) => {
        concat!(
            ", effect as (select ",
            $project,
            " as project, id as target, null::jsonb as before, ",
            $json,
            " as after from made)"
        )
    };
}
pub(crate) use made;

/// Of the row `new` that was `old`.
macro_rules! changed {
    ($project:expr, $before:expr, $after:expr) => {
        concat!(
            ", effect as (select ",
            $project,
            " as project, new.id as target, ",
            $before,
            " as before, ",
            $after,
            " as after from old join new on new.id = old.id)"
        )
    };
}
pub(crate) use changed;

/// Of the row `gone`.
macro_rules! gone {
    ($project:expr, $json:expr) => {
        concat!(
            ", effect as (select ",
            $project,
            " as project, id as target, ",
            $json,
            " as before, null::jsonb as after from gone)"
        )
    };
}
pub(crate) use gone;

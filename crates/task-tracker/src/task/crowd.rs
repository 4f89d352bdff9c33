//! Makes room where so much was put into one gap that there is hardly any left: what stands close together there gets ranks that
//! are further apart, in the same order.
//!
//! A change of its own, before the one that has no room: whoever is cut off between the two leaves a board in order.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    access::Caller,
    problem::Problem,
    task::{json, rank},
    write::{alone, recorded},
};

/// A gap is crowded whose ranks would be longer. Every move into one gap takes a sixth of a digit.
const CROWDED: usize = 40;
/// Whoever has a rank that is no longer stays where he is.
const ROOMY: usize = 20;
/// At most so many on either side get new ranks.
const AT_ONCE: i64 = 500;

pub(super) fn is_crowded(ranks: &[String]) -> bool {
    ranks.iter().any(|rank| rank.len() > CROWDED)
}

/// On which side of a task the gap is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    After,
    Before,
}

/// Whether there is more room now. The tasks that are to move into the gap are left out.
pub(super) async fn spread(
    connection: &mut PgConnection,
    caller: &Caller,
    moving: &[Uuid],
    side: Side,
    neighbour: Uuid,
) -> Result<bool, Problem> {
    let around = around(connection, caller, moving, neighbour).await?;
    let Some(near) = around.iter().position(|(id, _)| *id == neighbour) else {
        return Ok(false);
    };
    let gap = match side {
        Side::After => near + 1,
        Side::Before => near,
    };
    let crowd = crowd(&around, gap);
    let (lower, upper) = (crowd.start.checked_sub(1), around.get(crowd.end));
    let lower = lower.map(|place| around[place].1.as_str());
    let crowd = &around[crowd];
    let fresh = rank::several_between(lower, upper.map(|(_, rank)| rank.as_str()), crowd.len());
    let longest = |ranks: &mut dyn Iterator<Item = usize>| ranks.max().unwrap_or_default();
    if longest(&mut fresh.iter().map(String::len)) >= longest(&mut crowd.iter().map(|(_, rank)| rank.len())) {
        return Ok(false);
    }
    write(connection, caller, crowd, fresh).await
}

/// Tasks of the project in their order, the neighbour among them.
async fn around(
    connection: &mut PgConnection,
    caller: &Caller,
    moving: &[Uuid],
    neighbour: Uuid,
) -> Result<Vec<(Uuid, String)>, Problem> {
    sqlx::query_as(concat!(
        "with near as (
            select tasks.project_id, ",
        rank::of!("tasks"),
        " as rank from tasks join memberships on memberships.project_id = tasks.project_id
            where tasks.id = $1 and memberships.user_id = $2 and memberships.role in ('owner', 'editor')
         ), others as (
            select others.id, ",
        rank::of!("others"),
        " as rank, near.rank as near from tasks as others join near on near.project_id = others.project_id
            where others.id <> all($3)
         )
         select id, rank from (
            (select id, rank from others where rank <= near order by rank desc limit $4)
            union all
            (select id, rank from others where rank > near order by rank limit $4)
         ) as around order by rank"
    ))
    .bind(neighbour)
    .bind(caller.user)
    .bind(moving)
    .bind(AT_ONCE)
    .fetch_all(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

/// Which of them stand close together, on both sides of the gap.
fn crowd(around: &[(Uuid, String)], gap: usize) -> std::ops::Range<usize> {
    let is_close = |(_, rank): &&(Uuid, String)| rank.len() > ROOMY;
    let below = around[..gap].iter().rev().take_while(is_close).count();
    let above = around[gap..].iter().take_while(is_close).count();
    gap - below..gap + above
}

/// All of them or, when one has moved meanwhile, none.
async fn write(
    connection: &mut PgConnection,
    caller: &Caller,
    crowd: &[(Uuid, String)],
    fresh: Vec<String>,
) -> Result<bool, Problem> {
    let (ids, ranks): (Vec<Uuid>, Vec<String>) = crowd.iter().cloned().unzip();
    sqlx::query_scalar(concat!(
        "with given as (
            select * from unnest($6::uuid[], $7::text[], $8::text[]) as given (id, was, rank)
         ), old as (
            select tasks.*, given.rank as fresh from given join tasks on tasks.id = given.id
            join memberships on memberships.project_id = tasks.project_id
            where memberships.user_id = $5 and memberships.role in ('owner', 'editor') and given.was = ",
        rank::of!("tasks"),
        " order by tasks.id
            for no key update of tasks
         ), whole as (
            select count(*) = cardinality($6::uuid[]) as fits from old
         ), new as (
            update tasks set rank = old.fresh, version = tasks.version + 1, updated_at = now()
            from old, whole where whole.fits and tasks.id = old.id
            returning tasks.*
         ), effect as (
            select new.project_id as project, new.id as target, ",
        json!("old"),
        " as before, ",
        json!("new"),
        " as after from old join new on new.id = old.id
         )",
        recorded!(alone!()),
        " select count(*) > 0 from effect"
    ))
    // Nobody asked for it.
    .bind(None::<Uuid>)
    .bind(None::<Uuid>)
    .bind("task.moved")
    .bind(&caller.request_id)
    .bind(caller.user)
    .bind(ids)
    .bind(ranks)
    .bind(fresh)
    .fetch_one(connection)
    .await
    .map_err(|cause| Problem::of_database(&cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_close_to_the_gap_are_the_crowd() {
        let around: Vec<(Uuid, String)> = [5, 30, 5, 30, 30, 5, 30]
            .iter()
            .map(|length| (Uuid::nil(), "m".repeat(*length)))
            .collect();
        for (gap, expected) in [
            (0, 0..0),
            (1, 1..2),
            (2, 1..2),
            (3, 3..5),
            (4, 3..5),
            (5, 3..5),
            (6, 6..7),
            (7, 6..7),
        ] {
            assert_eq!(crowd(&around, gap), expected, "{gap}");
        }
        assert_eq!(crowd(&[], 0), 0..0);
    }
}

use std::time::{Duration, Instant};

use crate::{database::Database, leftover::left_on, problem::Problem, row::object};

/// How often an idle process looks; nobody waits for it.
const LOOK: Duration = Duration::from_secs(2);
/// After a failure, which is likely the database's, or a lock that somebody holds.
const AGAIN: Duration = Duration::from_secs(10);

/// Never ends by itself.
pub(crate) async fn run(database: Database) {
    loop {
        let begun = Instant::now();
        let pause = match turn(&database).await {
            // As long as it took, so that users have the database for half of the time at least.
            Ok(rows) if rows > 0 => begun.elapsed(),
            Ok(_) => LOOK,
            // Logged where it was made.
            Err(_) => AGAIN,
        };
        tokio::time::sleep(pause).await;
    }
}

/// One portion of each kind, whatever becomes of the others. How many rows that was; none when nothing is left, or others are at it.
async fn turn(database: &Database) -> Result<i64, Problem> {
    let mut connection = database.connection().await?;
    let (mut rows, mut failed) = (0, None);
    for statement in [LABELS, ASSIGNEES, PROJECTS] {
        match sqlx::query_scalar::<_, i64>(statement)
            .fetch_one(&mut *connection)
            .await
        {
            Ok(done) => rows += done,
            Err(cause) => failed = Some(Problem::of_database(&cause)),
        }
    }
    failed.map_or(Ok(rows), Err)
}

/// The oldest of its kind at which nobody else is.
macro_rules! next {
    ($what:literal) => {
        concat!(
            "with next as materialized (
                select * from leftovers where what = '",
            $what,
            "' order by created_at limit 1 for update skip locked
             ), "
        )
    };
}

/// Tells of what `left_on!` did, and says how far it came, or that nothing is left.
macro_rules! onward {
    ($column:ident) => {
        concat!(
            ", told as (
                insert into events (actor_id, token_id, action, request_id, project_id, target_id, before, after)
                select next.actor_id, next.token_id, 'task.changed', next.request_id, bare.project_id, bare.id, ",
            object!("loaded", $column, version, updated_at),
            ", ",
            object!("bare", $column, version, updated_at),
            " from next cross join loaded join bare on bare.id = loaded.id
             ), onward as (
                update leftovers set reached = (select id from bearers order by id desc limit 1)
                from next where leftovers.id = next.id and exists (select from bearers)
             ), finished as (
                delete from leftovers using next where leftovers.id = next.id and not exists (select from bearers)
                returning 1
             )
             select (select count(*) from bearers) + (select count(*) from finished)"
        )
    };
}

const LABELS: &str = concat!(
    next!("label"),
    left_on!("next", "next.subject_id", "tasks.id > next.reached", label_ids, "500"),
    onward!(label_ids)
);

/// Whoever has come back meanwhile keeps what is left.
const ASSIGNEES: &str = concat!(
    next!("assignee"),
    left_on!(
        "next",
        "next.subject_id",
        "tasks.id > next.reached and not exists (
            select from memberships
            where memberships.project_id = next.project_id and memberships.user_id = next.subject_id)",
        assignee_ids,
        "500"
    ),
    onward!(assignee_ids)
);

/// What is below tasks goes with them, but not more of it at once than a statement can take along: comments of a task may be many,
/// and so may messages to webhooks. The project's own row goes last, and the rest, which is bounded, with it. Whoever came in at the
/// very moment of the deletion is put out again.
const PROJECTS: &str = concat!(
    next!("project"),
    "members as (
        delete from memberships using next where memberships.project_id = next.project_id
     ), batch as materialized (
        select found.id from next cross join lateral (
            select tasks.id from tasks where tasks.project_id = next.project_id order by tasks.id limit 200
        ) as found
     ), remarks as materialized (
        select comments.id, comments.task_id from batch join comments on comments.task_id = batch.id limit 2000
     ), unsaid as (
        delete from comments using remarks where comments.id = remarks.id
     ), messages as materialized (
        select webhook_deliveries.id from next join webhooks on webhooks.project_id = next.project_id
        join webhook_deliveries on webhook_deliveries.webhook_id = webhooks.id limit 2000
     ), unsent as (
        delete from webhook_deliveries using messages where webhook_deliveries.id = messages.id
     ), gone as (
        delete from tasks using batch
        where tasks.id = batch.id and (select count(*) from remarks) < 2000
     ), emptied as (
        delete from projects using next
        where projects.id = next.project_id and not exists (select from batch) and not exists (select from messages)
     ), finished as (
        delete from leftovers using next
        where leftovers.id = next.id and not exists (select from batch) and not exists (select from messages)
        returning 1
     )
     select (select count(*) from batch) + (select count(*) from messages) + (select count(*) from finished)"
);

//! Whose an erasure is: of any number of processes one does it, and another takes it up when that one is gone.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use task_tracker::PersonalError;
use tokio::task::JoinHandle;

use crate::{
    cluster::{self, Database},
    line::{until, within},
};

/// Bob, whose time has come, with something in every part of an erasure that comes after its first steps.
const BOB: &str = "
    update users set erase_after = now();
    insert into projects (id, name) values (gen_random_uuid(), 'garden');
    insert into tasks (id, project_id, title) select gen_random_uuid(), id, 'dig' from projects;
    insert into comments (id, task_id, author_id, body) select gen_random_uuid(), tasks.id, users.id, 'Where?' from tasks, users;
    insert into reminders (id, task_id, user_id, at) select gen_random_uuid(), tasks.id, users.id, now() from tasks, users;
    insert into notifications (id, user_id, task_id, reminder_id, remind_at)
        select gen_random_uuid(), user_id, task_id, id, at from reminders;
    insert into events (actor_id, action, project_id, after)
        select users.id, 'task.created', projects.id, jsonb_build_object('title', 'dig') from users, projects;
    insert into events (action, target_id) select 'session.refused', id from users;
    with made as (insert into projects (id, name) values (gen_random_uuid(), 'yard') returning id)
    insert into memberships (project_id, user_id, role) select made.id, users.id, 'owner' from made, users;";

async fn run(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.unwrap();
}

async fn bob() -> (Database, PgConnection) {
    let database = cluster::migrated().await;
    database.user("bob").await;
    let mut connection = database.connect().await;
    run(&mut connection, BOB).await;
    (database, connection)
}

fn begin(database: &Database) -> JoinHandle<Result<u64, PersonalError>> {
    let url = database.parsed_url();
    tokio::spawn(async move { task_tracker::erase_due(&url).await })
}

async fn erase(database: &Database) -> u64 {
    within(begin(database)).await.unwrap().unwrap()
}

/// Waits for one that does not get on.
async fn stopped(database: &Database) {
    until("an erasure waits for a lock", async || {
        let waiting: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name like 'task-tracker %' and wait_event_type = 'Lock'",
        )
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
        waiting > 0
    })
    .await;
}

/// Of what is Bob's: the user, comments, notifications, events that name him.
async fn left(connection: &mut PgConnection) -> Vec<i64> {
    sqlx::query_scalar(
        "select array[(select count(*) from users), (select count(*) from comments where author_id is not null),
                      (select count(*) from notifications),
                      (select count(*) from events where action in ('task.created', 'session.refused')
                           and exists (select from users where users.id in (actor_id, target_id)))]",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn whoever_comes_at_the_same_moment_leaves_it_to_the_first() {
    let (database, mut connection) = bob().await;
    run(
        &mut connection,
        "create function hold() returns trigger language plpgsql as $$
             begin perform pg_advisory_xact_lock_shared(7); return new; end
         $$;
         create trigger hold before insert on erasures for each row execute function hold();
         select pg_advisory_lock(7);",
    )
    .await;
    let first = begin(&database);
    stopped(&database).await;
    assert_eq!(erase(&database).await, 0, "somebody is taking it up");
    run(&mut connection, "select pg_advisory_unlock(7)").await;
    assert_eq!(within(first).await.unwrap().unwrap(), 1);
    assert_eq!(left(&mut connection).await, [0, 0, 0, 0]);
}

/// From its first step to its last.
#[tokio::test]
async fn whoever_comes_while_it_is_done_leaves_it_to_the_first() {
    for step in ["memberships", "comments"] {
        let (database, mut connection) = bob().await;
        let mut holder = database.connect().await;
        let mut held = holder.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("select from {step} for update")))
            .execute(&mut *held)
            .await
            .unwrap();
        let first = begin(&database);
        stopped(&database).await;
        assert_eq!(erase(&database).await, 0, "somebody is at it");
        held.rollback().await.unwrap();
        assert_eq!(within(first).await.unwrap().unwrap(), 1);
        assert_eq!(left(&mut connection).await, [0, 0, 0, 0]);
    }
}

/// A process that was stopped for longer than its lease finds that it has nothing to say any more.
#[tokio::test]
async fn whoever_has_lost_the_lease_does_nothing_more() {
    let (database, mut connection) = bob().await;
    run(
        &mut connection,
        "create function take_over() returns trigger language plpgsql as $$
             begin
                 update erasures set lease = gen_random_uuid(), leased_until = now() + interval '5 minutes';
                 return null;
             end
         $$;
         create trigger take_over after update on comments for each statement execute function take_over();",
    )
    .await;
    assert_eq!(erase(&database).await, 0);
    let [user, comments, notifications, events] = left(&mut connection).await[..] else {
        panic!("four kinds")
    };
    assert_eq!((user, comments, notifications), (1, 0, 1));
    assert!(events > 0, "the record was still to be looked through");
    run(
        &mut connection,
        "drop trigger take_over on comments; update erasures set leased_until = now()",
    )
    .await;
    assert_eq!(erase(&database).await, 1);
    assert_eq!(left(&mut connection).await, [0, 0, 0, 0]);
}

/// Nobody takes over what takes longer than a lease while somebody is at it.
#[tokio::test]
async fn every_statement_holds_on_to_the_lease() {
    let (database, mut connection) = bob().await;
    run(
        &mut connection,
        "create function grow_old() returns trigger language plpgsql as $$
             begin update erasures set leased_until = now() + interval '1 minute'; return null; end
         $$;
         create function is_young() returns trigger language plpgsql as $$
             begin
                 if exists (select from erasures where leased_until < now() + interval '4 minutes') then
                     raise exception 'the lease is not renewed';
                 end if;
                 return null;
             end
         $$;
         create trigger grow_old after update on comments for each statement execute function grow_old();
         create trigger is_young after update on events for each statement execute function is_young();
         create trigger is_young after delete on notifications for each statement execute function is_young();",
    )
    .await;
    assert_eq!(erase(&database).await, 1);
}

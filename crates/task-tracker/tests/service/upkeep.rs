//! What had its time goes, and nothing else does.

use sqlx::PgConnection;

use crate::{
    cluster::{self, Database},
    instance::start_on,
    line::until,
    portions::at_most,
};

/// Of each kind two rows: one whose time is over, and one that is a little younger.
const FURNISH: &str = "
    insert into projects (id, name) values (gen_random_uuid(), 'garden');
    insert into tasks (id, project_id, title) select gen_random_uuid(), id, 'dig' from projects;
    insert into idempotency_keys (user_id, operation, key, body_sha256, status, created_at)
        select users.id, 'POST /', age.days::text, '', 200, now() - age.days * interval '1 day'
        from users, (values (1.1), (0.9)) as age (days);
    insert into throttles (key, full_at) values ('old', now() - interval '1 second'), ('new', now() + interval '1 day');
    update sessions set last_used_at = now();
    insert into sessions (id, user_id, token_sha256, last_used_at, expires_at)
        select gen_random_uuid(), users.id, sha256(gen_random_uuid()::text::bytea),
               now() - age.days * interval '1 day', now() + interval '1 day'
        from users, (values (15), (13)) as age (days);
    insert into invitations (id, project_id, role, token_sha256, invited_by, expires_at)
        select gen_random_uuid(), projects.id, 'viewer', sha256(gen_random_uuid()::text::bytea), users.id,
               now() - age.days * interval '1 day'
        from users, projects, (values (31), (29)) as age (days);
    insert into password_resets (user_id, token_sha256, expires_at)
        select id, sha256(id::text::bytea), now() - interval '1 second' from users;
    insert into notifications (id, user_id, task_id, reminder_id, remind_at, created_at)
        select gen_random_uuid(), users.id, tasks.id, gen_random_uuid(), now(), now() - age.days * interval '1 day'
        from users, tasks, (values (91), (89)) as age (days);
    insert into reminders (id, task_id, user_id, at, delivered_at)
        select gen_random_uuid(), tasks.id, users.id, now(), now() - age.days * interval '1 day'
        from users, tasks, (values (91), (89)) as age (days);
    insert into reminders (id, task_id, user_id, minutes_before_due, delivered_at)
        select gen_random_uuid(), tasks.id, users.id, 5, now() - interval '1 year' from users, tasks;
    insert into api_tokens (id, user_id, name, token_sha256, scopes, expires_at)
        select gen_random_uuid(), users.id, 'ci', sha256(gen_random_uuid()::text::bytea), '{tasks:read}',
               now() - age.days * interval '1 day'
        from users, (values (31), (29)) as age (days);
    insert into webhooks (id, project_id, url, state, secret, previous_secret, previous_secret_until)
        select gen_random_uuid(), projects.id, 'https://example.com', 'paused', '', 'before', now() - age.days * interval '1 day'
        from projects, (values (0.1), (-0.1)) as age (days);
    insert into webhook_deliveries (id, webhook_id, action, created_at)
        select gen_random_uuid(), (select id from webhooks limit 1), 'ping', now() - age.days * interval '1 day'
        from (values (31), (29)) as age (days);
    insert into events (action, at)
        select 'task.moved', now() - age.days * interval '1 day' from (values (8), (6)) as age (days);";

const LEFT: &str = "
    select array[(select count(*) from idempotency_keys), (select count(*) from throttles),
                 (select count(*) from sessions), (select count(*) from invitations),
                  (select count(*) from notifications), (select count(*) from reminders), (select count(*) from api_tokens),
                  (select count(*) from webhooks where previous_secret is not null and previous_secret_until is not null),
                  (select count(*) from webhook_deliveries), (select count(*) from events),
                  (select count(*) from password_resets)]";

#[tokio::test]
async fn what_had_its_time_is_cleared_away_and_nothing_else() {
    let database = cluster::migrated().await;
    database.user("bob").await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(FURNISH).execute(&mut connection).await.unwrap();
    let count = async || -> Vec<i64> {
        let mut onlooker = database.connect().await;
        sqlx::query_scalar(LEFT).fetch_one(&mut onlooker).await.unwrap()
    };
    assert_eq!(count().await, [2, 2, 3, 2, 2, 3, 2, 2, 2, 2, 1]);
    let url = database.parsed_url();
    // The user whom an instance brings has a session of its own.
    let other = cluster::migrated().await;
    let service = start_on(other, &url, "--first-upkeep-seconds 0.05 --keep-events-days 7").await;

    until("it is cleared away", async || {
        count().await == [1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 0]
    })
    .await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
    assert_eq!(count().await, [1, 1, 2, 1, 1, 2, 1, 1, 1, 1, 0]);
}

/// Of what there can be most of, more than a statement takes, and a few whose time is yet to come.
const MANY: &str = "
    insert into projects (id, name) values (gen_random_uuid(), 'garden');
    insert into tasks (id, project_id, title) select gen_random_uuid(), id, 'dig' from projects;
    insert into webhooks (id, project_id, url, state, secret)
        select gen_random_uuid(), id, 'https://example.com', 'paused', '' from projects;
    insert into idempotency_keys (user_id, operation, key, body_sha256, status, created_at)
        select users.id, 'POST /', n::text, '', 200, now() - age.days * interval '1 day'
        from users, (values (2, 12000), (0, 3)) as age (days, many), generate_series(1, many) as n
        on conflict do nothing;
    insert into throttles (key, full_at)
        select n || '/' || age.days, now() - age.days * interval '1 day'
        from (values (1, 12000), (-1, 3)) as age (days, many), generate_series(1, many) as n;
    insert into sessions (id, user_id, token_sha256, expires_at)
        select gen_random_uuid(), users.id, sha256(gen_random_uuid()::text::bytea), now() - age.days * interval '1 day'
        from users, (values (1, 12000), (-1, 2)) as age (days, many), generate_series(1, many) as n;
    insert into notifications (id, user_id, task_id, reminder_id, remind_at, created_at)
        select gen_random_uuid(), users.id, tasks.id, gen_random_uuid(), now(), now() - age.days * interval '1 day'
        from users, tasks, (values (91, 12000), (89, 3)) as age (days, many), generate_series(1, many) as n;
    insert into webhook_deliveries (id, webhook_id, action, state, created_at)
        select gen_random_uuid(), webhooks.id, 'ping', 'dead', now() - age.days * interval '1 day'
        from webhooks, (values (31, 12000), (29, 3)) as age (days, many), generate_series(1, many) as n;
    insert into events (action, at)
        select 'task.moved', now() - age.days * interval '1 day'
        from (values (8, 12000), (6, 3)) as age (days, many), generate_series(1, many) as n order by age.days desc;";

#[tokio::test]
async fn more_than_a_statement_takes_goes_in_the_same_turn() {
    let database = cluster::migrated().await;
    database.user("bob").await;
    let mut connection = database.connect().await;
    sqlx::raw_sql(MANY).execute(&mut connection).await.unwrap();
    let count = async || -> Vec<i64> {
        let mut onlooker = database.connect().await;
        sqlx::query_scalar(
            "select array[(select count(*) from idempotency_keys where key::int > 3), (select count(*) from throttles),
                          (select count(*) from sessions), (select count(*) from notifications),
                          (select count(*) from webhook_deliveries), (select count(*) from events)]",
        )
        .fetch_one(&mut onlooker)
        .await
        .unwrap()
    };
    assert_eq!(count().await, [11_997, 12_003, 12_003, 12_003, 12_003, 12_003]);
    let tables = [
        "idempotency_keys",
        "throttles",
        "sessions",
        "notifications",
        "webhook_deliveries",
        "events",
    ];
    at_most(&mut connection, 5000, &tables).await;
    let url = database.parsed_url();
    let other = cluster::migrated().await;
    // The next turn would be an hour later.
    let service = start_on(other, &url, "--first-upkeep-seconds 0.05 --keep-events-days 7").await;
    until("all of it is cleared away", async || {
        count().await == [0, 3, 3, 3, 3, 3]
    })
    .await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
}

/// The time of these is over, and of Bob, whom the same turn erases after that.
const SOME: &str = "
    update users set erase_after = now() where name = 'bob';
    insert into throttles (key, full_at) values ('old', now() - interval '1 second');
    insert into events (action, at) values ('task.moved', now() - interval '8 days');
    insert into idempotency_keys (user_id, operation, key, body_sha256, status, created_at)
        select id, 'POST /', '1', '', 200, now() - interval '2 days' from users where name = 'eve';";

/// Rows of each that are left, and users whose time has come.
async fn some_left(connection: &mut PgConnection) -> Vec<i64> {
    sqlx::query_scalar(
        "select array[(select count(*) from idempotency_keys), (select count(*) from throttles),
                      (select count(*) from events where action = 'task.moved'), (select count(*) from users where erase_after is not null)]",
    )
    .fetch_one(connection)
    .await
    .unwrap()
}

async fn with_some() -> (Database, PgConnection) {
    let database = cluster::migrated().await;
    for name in ["bob", "eve"] {
        database.user(name).await;
    }
    let mut connection = database.connect().await;
    sqlx::raw_sql(SOME).execute(&mut connection).await.unwrap();
    (database, connection)
}

/// A turn of a process that is started for it.
async fn after_a_turn(database: &Database, expected: [i64; 4]) {
    // The user whom an instance brings is of another database.
    let flags = "--first-upkeep-seconds 0.05 --keep-events-days 7";
    let service = start_on(cluster::migrated().await, &database.parsed_url(), flags).await;
    until("the turn is over", async || {
        some_left(&mut database.connect().await).await[3] == 0
    })
    .await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
    assert_eq!(some_left(&mut database.connect().await).await, expected);
}

/// The number by which processes of every release know whose turn it is.
#[tokio::test]
async fn whoever_meets_another_at_it_leaves_it_to_that_one() {
    const TURN: i64 = 0x7461_736b_5f75_706b;
    let (database, mut connection) = with_some().await;
    sqlx::query("select pg_advisory_lock($1)")
        .bind(TURN)
        .execute(&mut connection)
        .await
        .unwrap();
    after_a_turn(&database, [1, 1, 1, 0]).await;
    sqlx::query("select pg_advisory_unlock($1)")
        .bind(TURN)
        .execute(&mut connection)
        .await
        .unwrap();
    database.user("carol").await;
    sqlx::raw_sql("update users set erase_after = now() where name = 'carol'")
        .execute(&mut connection)
        .await
        .unwrap();
    after_a_turn(&database, [0, 0, 0, 0]).await;
}

#[tokio::test]
async fn what_cannot_be_cleared_away_keeps_nothing_else_from_it() {
    let (database, mut connection) = with_some().await;
    sqlx::raw_sql(
        "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not this'; end $$;
         create trigger refuse before delete on idempotency_keys for each row execute function refuse();",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    after_a_turn(&database, [1, 0, 0, 0]).await;
}

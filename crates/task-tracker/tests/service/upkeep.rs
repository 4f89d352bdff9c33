//! What had its time goes, and nothing else does.

use crate::{cluster, instance::start_on, line::until};

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
    insert into events (action, at)
        select 'task.moved', now() - age.days * interval '1 day' from (values (8), (6)) as age (days);";

const LEFT: &str = "
    select array[(select count(*) from idempotency_keys), (select count(*) from throttles),
                 (select count(*) from sessions), (select count(*) from invitations),
                 (select count(*) from notifications), (select count(*) from reminders), (select count(*) from events),
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
    assert_eq!(count().await, [2, 2, 3, 2, 2, 3, 2, 1]);
    let url = database.parsed_url();
    // The user whom an instance brings has a session of its own.
    let other = cluster::migrated().await;
    let service = start_on(other, &url, "--first-upkeep-seconds 0.05 --keep-events-days 7").await;
    until("it is cleared away", async || count().await == [1, 1, 2, 1, 1, 2, 1, 0]).await;
    service.lifecycle.interrupt();
    assert_eq!(service.ended().await, Ok(()));
    assert_eq!(count().await, [1, 1, 2, 1, 1, 2, 1, 0]);
}

//! Data to try things on: users, projects and tasks that look like somebody's work, the same for the same seed.
//!
//! Made inside PostgreSQL, in steps of so many rows, so that a million tasks take no more memory here than one. Ids come
//! from the seed, so running it again adds nothing. Every user has the same password, which the command prints: never for
//! a database that others reach.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::{
    access::password::{NewPassword, Passwords},
    config::{DatabaseUrl, MissingDatabaseUrl},
};

/// Of every user that a seed makes.
pub const PASSWORD: &str = "correct horse battery staple";
const AT_ONCE: i64 = 10_000;

/// How much of what.
#[derive(Debug, Clone, clap::Args)]
pub struct Amounts {
    /// Users; every five of them share a project, which the first of the five owns
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    pub users: i64,

    /// Tasks, spread over the projects; every fourth has a comment, some are parts of others, and some are reminded of
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(i64).range(0..=100_000_000))]
    pub tasks: i64,

    /// The same number makes the same data
    #[arg(long, default_value_t = 1)]
    pub seed: u32,
}

/// Why there is no data, or not all of it; running it again goes on where it was.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The database URL is missing or malformed.
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    /// No connection, or a statement failed.
    #[error("could not write the data")]
    Database(#[source] sqlx::Error),
    /// The users' password could not be hashed.
    #[error("could not hash the users' password")]
    Password,
}

/// Makes what is missing of it, and says how many rows that were.
pub async fn seed(url: &DatabaseUrl, amounts: &Amounts) -> Result<u64, SeedError> {
    let password = NewPassword::from_text(PASSWORD).ok_or(SeedError::Password)?;
    let hash = Passwords::new().hash(password).await.map_err(|_| SeedError::Password)?;
    let hash = SecretString::from(hash);
    let mut connection = url
        .options()
        .map_err(SeedError::Url)?
        .application_name("task-tracker seed")
        .options([("lock_timeout", "10s"), ("TimeZone", "UTC")])
        .connect()
        .await
        .map_err(SeedError::Database)?;
    let mut made = 0;
    for (statement, rows) in [
        (USERS, amounts.users),
        (PROJECTS, amounts.users),
        (MEMBERS, amounts.users),
        (LABELS, amounts.users),
        (TASKS, amounts.tasks),
        (COMMENTS, amounts.tasks),
        (SUBTASKS, amounts.tasks),
        (FILTERS, amounts.users),
        (REMINDERS, amounts.tasks),
        (NOTIFICATIONS, amounts.tasks),
    ] {
        made += in_steps(&mut connection, statement, rows, amounts, &hash)
            .await
            .map_err(SeedError::Database)?;
    }
    drop(connection.close().await);
    Ok(made)
}

async fn in_steps(
    connection: &mut PgConnection,
    statement: &'static str,
    rows: i64,
    amounts: &Amounts,
    hash: &SecretString,
) -> Result<u64, sqlx::Error> {
    let mut made = 0;
    let mut from = 0;
    while from < rows {
        let to = (from + AT_ONCE).min(rows);
        made += sqlx::query(statement)
            .bind(i64::from(amounts.seed))
            .bind(from)
            .bind(to)
            .bind(amounts.users)
            .bind(hash.expose_secret())
            .execute(&mut *connection)
            .await?
            .rows_affected();
        from = to;
    }
    Ok(made)
}

/// The rows of one step: `$1` is the seed, `$2` and `$3` from which number to which, `$4` how many users there are and
/// `$5` their password's hash. `pick` is a number below 2^28 that the seed and the row's number decide.
macro_rules! step {
    ($rest:literal) => {
        concat!(
            "with step as (
                select n, $1::bigint as seed, $4::bigint as users, $5::text as hash,
                       ('x' || substr(md5($1::bigint || '/pick/' || n), 1, 7))::bit(28)::int as pick
                from generate_series($2::bigint, $3::bigint - 1) as n
             ) ",
            $rest
        )
    };
}

const USERS: &str = step!(
    "insert into users (id, email, name, password_hash)
     select md5(seed || '/user/' || n)::uuid, 'user' || n || '.' || seed || '@example.com',
            (array['Ada', 'Berta', 'Chloe', 'Dario', 'Emil', 'Fatma', 'Goran', 'Hanna'])[1 + pick % 8] || ' '
            || (array['Okoye', 'Lind', 'Marsh', 'Novak', 'Sato', 'Weiss', 'Yilmaz'])[1 + pick / 8 % 7], hash
     from step on conflict do nothing"
);

const PROJECTS: &str = step!(
    "insert into projects (id, name, description)
     select md5(seed || '/project/' || n / 5)::uuid,
            (array['Garden', 'Website', 'Move to the new office', 'Summer festival', 'Bookkeeping'])[1 + pick % 5] || ' ' || n / 5,
            'What is to be done, and by whom.'
     from step where n % 5 = 0 on conflict do nothing"
);

const MEMBERS: &str = step!(
    "insert into memberships (project_id, user_id, role)
     select md5(seed || '/project/' || n / 5)::uuid, md5(seed || '/user/' || n)::uuid,
            (array['owner', 'editor', 'editor', 'editor', 'viewer'])[1 + n % 5]
     from step on conflict do nothing"
);

const LABELS: &str = step!(
    "insert into labels (id, project_id, name, colour)
     select md5(seed || '/label/' || n)::uuid, md5(seed || '/project/' || n / 5)::uuid,
            (array['urgent', 'idea', 'blocked', 'outside', 'paperwork'])[1 + n % 5],
            (array['#d73a4a', '#a2eeef', '#fbca04', '#0e8a16', '#5319e7'])[1 + n % 5]
     from step on conflict do nothing"
);

const TASKS: &str = step!(
    ", placed as (select step.*, pick % ((users + 4) / 5) as project from step)
     insert into tasks (id, project_id, title, description, status, priority, due_at, rank, assignee_ids, label_ids,
                        created_at, updated_at)
     select md5(seed || '/task/' || n)::uuid, md5(seed || '/project/' || project)::uuid,
            (array['Order', 'Check', 'Repair', 'Plan', 'Write up', 'Talk about', 'Paint'])[1 + pick / 7 % 7] || ' the '
            || (array['fence', 'invoice', 'front page', 'stage', 'water tank', 'contract', 'shelves'])[1 + pick / 49 % 7],
            case when pick % 3 = 0 then 'See what was said about it last week, and ask before it is begun.' else '' end,
            (array['open', 'open', 'open', 'in_progress', 'done', 'done'])[1 + pick % 6],
            (array['none', 'none', 'low', 'medium', 'high', 'urgent'])[1 + pick / 6 % 6],
            case when pick % 2 = 0 then timestamptz '2026-01-01' + make_interval(days => pick / 11 % 365) end,
            'm' || lpad(n::text, 9, '0') || 'V',
            case when pick % 5 < 3 and project * 5 + pick % 5 < users
                 then array[md5(seed || '/user/' || project * 5 + pick % 5)::uuid] else '{}' end,
            case when pick % 4 = 0 and project * 5 + pick / 4 % 5 < users
                 then array[md5(seed || '/label/' || project * 5 + pick / 4 % 5)::uuid] else '{}' end,
            timestamptz '2026-01-01' + make_interval(secs => n), timestamptz '2026-01-01' + make_interval(secs => n)
     from placed on conflict do nothing"
);

const COMMENTS: &str = step!(
    ", placed as (select step.*, pick % ((users + 4) / 5) as project from step)
     insert into comments (id, task_id, author_id, body, created_at, updated_at)
     select md5(seed || '/comment/' || n)::uuid, md5(seed || '/task/' || n)::uuid,
            md5(seed || '/user/' || project * 5)::uuid,
            (array['Is this still to be done?', 'I will see to it.', 'Waiting for an answer.', 'Done by half.'])[1 + pick % 4],
            timestamptz '2026-01-02' + make_interval(secs => n), timestamptz '2026-01-02' + make_interval(secs => n)
     from placed where n % 4 = 0 on conflict do nothing"
);

/// Every seventh task is a part of the one before it in its project, unless that is a part itself.
const SUBTASKS: &str = step!(
    ", placed as (select step.*, pick % ((users + 4) / 5) as project from step),
     paired as (
        select n, seed, project, lag(n) over (partition by project order by n) as before from placed
     )
     insert into subtasks (task_id, parent_id, project_id)
     select md5(seed || '/task/' || n)::uuid, md5(seed || '/task/' || before)::uuid, md5(seed || '/project/' || project)::uuid
     from paired where n % 7 = 0 and before % 7 <> 0 on conflict do nothing"
);

/// The first user of each project saves one for all of its members, the second one for oneself.
const FILTERS: &str = step!(
    "insert into saved_filters (id, project_id, user_id, name, filter)
     select md5(seed || '/filter/' || n)::uuid, md5(seed || '/project/' || n / 5)::uuid,
            case when n % 5 = 1 then md5(seed || '/user/' || n)::uuid end,
            (array['Mine, as they are sorted', 'What is urgent'])[1 + n % 5],
            (array['{\"assignee\": \"me\", \"sort\": \"rank\"}', '{\"priority\": \"urgent\"}'])[1 + n % 5]::jsonb
     from step where n % 5 < 2 on conflict do nothing"
);

/// Those of the first half of the year are delivered already.
macro_rules! reminded {
    ($rest:literal) => {
        concat!(
            step!(
                ", due as (
                    select md5(seed || '/reminder/' || n)::uuid as reminder, md5(seed || '/task/' || n)::uuid as task,
                           md5(seed || '/user/' || pick % ((users + 4) / 5) * 5)::uuid as reminded, n,
                           timestamptz '2026-01-01' + make_interval(days => pick / 11 % 365) as at
                    from step where n % 40 = 0 and pick % 2 = 0
                 ), made as (select *, at - interval '1 day' as moment, at < timestamptz '2026-07-01' as delivered from due) "
            ),
            $rest
        )
    };
}

const REMINDERS: &str = reminded!(
    "insert into reminders (id, task_id, user_id, minutes_before_due, fires_at, delivered_at, created_at)
     select reminder, task, reminded, 1440, case when not delivered then moment end, case when delivered then moment end,
            timestamptz '2026-01-01'
     from made on conflict do nothing"
);

const NOTIFICATIONS: &str = reminded!(
    "insert into notifications (id, user_id, task_id, reminder_id, remind_at, read_at, created_at)
     select md5(reminder || '/notification')::uuid, reminded, task, reminder, moment,
            case when n % 80 = 0 then moment end, moment
     from made where delivered on conflict do nothing"
);

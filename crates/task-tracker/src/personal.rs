//! What is known of one person: handed out, and erased (GDPR, articles 15, 17 and 20).
//!
//! The audit trail outlives its people, so it is made to speak of nobody: their ids in it become one made-up id, and
//! what names them is taken out.

use serde_json::Value;
use sqlx::{ConnectOptions, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    config::{DatabaseUrl, MissingDatabaseUrl},
    row::object,
};

/// Why nothing was handed out or erased.
#[derive(Debug, thiserror::Error)]
pub enum PersonalError {
    /// The database URL is missing or malformed.
    #[error("could not tell where the database is")]
    Url(#[source] MissingDatabaseUrl),
    /// No connection, or a statement failed. Users erased before stay erased; the one it failed on is as it was.
    #[error("could not read or erase what is kept about a user")]
    Database(#[source] sqlx::Error),
    /// There is no such user.
    #[error("there is no user `{0}`; give the id, as the account and the audit trail have it")]
    NoSuchUser(Uuid),
}

/// Everything that is kept about a user, as one JSON document without secrets.
pub async fn export_user(url: &DatabaseUrl, user: Uuid) -> Result<Value, PersonalError> {
    let mut connection = connect(url).await?;
    let kept = export(&mut connection, user).await.map_err(PersonalError::Database)?;
    drop(connection.close().await);
    kept.ok_or(PersonalError::NoSuchUser(user))
}

/// Erases the users whose time has come, and says how many. Safe to repeat, and to run twice at once.
pub async fn erase_due(url: &DatabaseUrl) -> Result<u64, PersonalError> {
    let mut connection = connect(url).await?;
    let mut erased = 0;
    for user in due(&mut connection).await.map_err(PersonalError::Database)? {
        erased += u64::from(erase(&mut connection, user).await.map_err(PersonalError::Database)?);
    }
    drop(connection.close().await);
    Ok(erased)
}

async fn connect(url: &DatabaseUrl) -> Result<PgConnection, PersonalError> {
    url.options()
        .map_err(PersonalError::Url)?
        .application_name("task-tracker personal data")
        .options([("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "60s")])
        .connect()
        .await
        .map_err(PersonalError::Database)
}

/// Everything that is kept about a user; None when there is no such user.
pub(crate) async fn export(connection: &mut PgConnection, user: Uuid) -> Result<Option<Value>, sqlx::Error> {
    sqlx::query_scalar(
        "select jsonb_build_object(
            'account', jsonb_build_object('id', id, 'email', email, 'name', name, 'created_at', created_at,
                'password_changed_at', password_changed_at, 'erase_after', erase_after),
            'sessions', (select coalesce(jsonb_agg(jsonb_build_object('user_agent', user_agent, 'created_at', created_at,
                'last_used_at', last_used_at) order by id), '[]') from sessions where user_id = users.id),
            'api_tokens', (select coalesce(jsonb_agg(jsonb_build_object('name', name, 'scopes', scopes,
                'created_at', created_at, 'last_used_at', last_used_at, 'expires_at', expires_at) order by id), '[]')
                from api_tokens where user_id = users.id),
            'projects', (select coalesce(jsonb_agg(jsonb_build_object('id', projects.id, 'name', projects.name,
                'role', memberships.role, 'since', memberships.created_at) order by projects.id), '[]')
                from memberships join projects on projects.id = memberships.project_id
                where memberships.user_id = users.id),
            'assigned_tasks', (select coalesce(jsonb_agg(jsonb_build_object('id', tasks.id, 'title', tasks.title,
                'description', tasks.description, 'status', tasks.status) order by tasks.id), '[]')
                from memberships join tasks on tasks.project_id = memberships.project_id
                where memberships.user_id = users.id and users.id = any(tasks.assignee_ids)),
            'comments', (select coalesce(jsonb_agg(jsonb_build_object('task_id', task_id, 'body', body,
                'created_at', created_at) order by id), '[]') from comments where author_id = users.id),
            'attachments', (select coalesce(jsonb_agg(jsonb_build_object('task_id', task_id, 'name', name,
                'content_type', content_type, 'size', size, 'created_at', created_at) order by id), '[]')
                from attachments where author_id = users.id),
            'saved_filters', (select coalesce(jsonb_agg(jsonb_build_object('project_id', project_id, 'name', name,
                'filter', filter, 'created_at', created_at) order by id), '[]')
                from saved_filters where user_id = users.id),
            'reminders', (select coalesce(jsonb_agg(jsonb_build_object('task_id', task_id, 'at', at,
                'minutes_before_due', minutes_before_due, 'delivered_at', delivered_at, 'created_at', created_at)
                order by id), '[]') from reminders where user_id = users.id),
            'notifications', (select coalesce(jsonb_agg(jsonb_build_object('task_id', task_id, 'remind_at', remind_at,
                'read_at', read_at, 'created_at', created_at) order by created_at, id), '[]')
                from notifications where user_id = users.id),
            'activity', (select coalesce(jsonb_agg(jsonb_build_object('at', at, 'action', action,
                'project_id', project_id, 'target_id', target_id) order by id), '[]')
                from events where actor_id = users.id)
         ) from users where id = $1",
    )
    .bind(user)
    .fetch_optional(connection)
    .await
}

/// Users whose time has come.
async fn due(connection: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select id from users where erase_after <= now() order by erase_after")
        .fetch_all(connection)
        .await
}

/// Erases one user whose time has come, whole or not at all. False when somebody else did meanwhile.
async fn erase(connection: &mut PgConnection, user: Uuid) -> Result<bool, sqlx::Error> {
    let nobody = Uuid::new_v4();
    let mut transaction = connection.begin().await?;
    let found: Option<Uuid> =
        sqlx::query_scalar("select id from users where id = $1 and erase_after <= now() for update")
            .bind(user)
            .fetch_optional(&mut *transaction)
            .await?;
    if found.is_none() {
        return Ok(false);
    }
    sqlx::query("set local task_tracker.curating = 'on'")
        .execute(&mut *transaction)
        .await?;
    for statement in STATEMENTS {
        // PostgreSQL wants to know the type of a parameter that a statement does not use.
        sqlx::query(*statement)
            .bind(user)
            .bind(nobody)
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// In this order; `$1` is the user and `$2` the made-up id.
const STATEMENTS: &[&str] = &[
    // Projects that are nobody else's.
    "with asked as (select $1::uuid as id, $2::uuid)
     delete from projects using asked
     where exists (select from memberships where project_id = projects.id and user_id = asked.id)
       and not exists (select from memberships where project_id = projects.id and user_id <> asked.id)",
    // A project keeps an owner: the editor, or else the viewer, who has been there longest.
    "with asked as (select $1::uuid as id, $2::uuid), orphaned as (
        select project_id from memberships join asked on memberships.user_id = asked.id
        where role = 'owner' and not exists (
            select from memberships as others
            where others.project_id = memberships.project_id and others.role = 'owner' and others.user_id <> asked.id)
     ), heirs as (
        select distinct on (memberships.project_id) memberships.project_id, memberships.user_id
        from memberships join orphaned on orphaned.project_id = memberships.project_id cross join asked
        where memberships.user_id <> asked.id
        order by memberships.project_id, memberships.role, memberships.created_at
     )
     update memberships set role = 'owner', version = version + 1, updated_at = now() from heirs
     where memberships.project_id = heirs.project_id and memberships.user_id = heirs.user_id",
    concat!(
        "with asked as (select $1::uuid as id, $2::uuid), old as (
            select tasks.*, asked.id as one from tasks join asked on asked.id = any(assignee_ids)
            order by tasks.id for no key update of tasks
         ), new as (
            update tasks
            set assignee_ids = array_remove(tasks.assignee_ids, old.one), version = tasks.version + 1, updated_at = now()
            from old where tasks.id = old.id
            returning tasks.*
         )
         insert into events (action, project_id, target_id, before, after)
         select 'task.changed', new.project_id, new.id, ",
        object!("old", assignee_ids, version, updated_at),
        ", ",
        object!("new", assignee_ids, version, updated_at),
        " from old join new on new.id = old.id"
    ),
    "with asked as (select $1::uuid as id, $2::uuid) delete from leftovers using asked where subject_id = asked.id",
    "with asked as (select $1::uuid as id, $2::uuid as nobody)
     update leftovers set actor_id = asked.nobody from asked where actor_id = asked.id",
    // Webhooks that were this user's are paused by that, and speak of nobody.
    "with asked as (select $1::uuid as id, $2::uuid) delete from memberships using asked where user_id = asked.id",
    "with asked as (select $1::uuid as id, $2::uuid as nobody)
     update webhooks set created_by = asked.nobody from asked where created_by = asked.id",
    // Filters that all members of a project have go on, and find nobody.
    "with asked as (select $1::uuid as id, $2::uuid as nobody)
     update saved_filters
     set filter = replace(filter::text, asked.id::text, asked.nobody::text)::jsonb, version = version + 1, updated_at = now()
     from asked where filter::text like '%' || asked.id || '%'",
    // What the user is called.
    "with asked as (select $1::uuid as id, $2::uuid)
     update events set before = before - 'name', after = after - 'name'
     from asked where target_id = asked.id and (action like 'account.%' or action like 'member.%')",
    "with asked as (select $1::uuid as id, $2::uuid as nobody)
     update events
     set actor_id = case actor_id when asked.id then asked.nobody else actor_id end,
         target_id = case target_id when asked.id then asked.nobody else target_id end,
         before = replace(before::text, asked.id::text, asked.nobody::text)::jsonb,
         after = replace(after::text, asked.id::text, asked.nobody::text)::jsonb
     from asked
     where actor_id = asked.id or target_id = asked.id
        or before::text like '%' || asked.id || '%' or after::text like '%' || asked.id || '%'",
    "with asked as (select $1::uuid as id, $2::uuid)
     delete from throttles using asked where key in ('writes/' || asked.id, 'password/' || asked.id)",
    // Sessions, tokens, invitations, filters, reminders, notifications and kept answers go with it.
    "with asked as (select $1::uuid as id, $2::uuid) delete from users using asked where users.id = asked.id",
];

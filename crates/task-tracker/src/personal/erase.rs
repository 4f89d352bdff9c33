//! The audit trail outlives its people, so it is made to speak of nobody: their ids in it become one made-up id, and
//! what names them is taken out.

use sqlx::{Connection, PgConnection};
use uuid::Uuid;

/// Users whose time has come.
pub(super) async fn due(connection: &mut PgConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select id from users where erase_after <= now() order by erase_after")
        .fetch_all(connection)
        .await
}

/// Erases one user whose time has come, whole or not at all. False when somebody else did meanwhile.
pub(super) async fn erase(connection: &mut PgConnection, user: Uuid) -> Result<bool, sqlx::Error> {
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
    "with asked as (select $1::uuid as id, $2::uuid)
     update tasks set assignee_ids = array_remove(assignee_ids, asked.id), version = version + 1, updated_at = now()
     from asked where asked.id = any(assignee_ids)",
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
    // Sessions, tokens, memberships, invitations, filters, reminders, notifications and kept answers go with it.
    "with asked as (select $1::uuid as id, $2::uuid) delete from users using asked where users.id = asked.id",
];

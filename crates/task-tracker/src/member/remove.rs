use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    access::Caller,
    extract::Ids,
    leftover::taken_off,
    member::{Member, json, refusal, require_owner_or_self},
    problem::Problem,
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// Remove a member, or leave
///
/// Owners may remove anybody, and everybody may leave. What they made stays. They are taken off the tasks that
/// they are assigned to, each of which gets a new version and an event of its own: up to a thousand at once, the others within the next
/// minutes. Webhooks that they answer for are paused.
#[utoipa::path(
    delete, path = "/api/v1/projects/{id}/members/{user_id}", operation_id = "remove_member", tag = "members",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("user_id" = Uuid, Path, description = "The member"),
        ("if-match" = String, Header, description = "Its ETag: the member's version in double quotes"),
    ),
    responses(
        (status = 204, description = "No member any more"),
        (status = 409, description = "The project would be left without an owner"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn remove(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, member): Ids,
    if_match: IfMatch,
) -> Result<Response, Problem> {
    let versions = if_match.versions();
    let removed = Write::<Member>::new(
        &caller,
        "member.removed",
        StatusCode::NO_CONTENT,
        change!(
            also;
            "owners as (
                select user_id from memberships where project_id = $9 and role = 'owner' order by user_id for update
             ), gone as (
                delete from memberships
                where project_id = $9 and user_id = $10 and ($11::bigint[] is null or version = any($11))
                  and (user_id = $1 or exists (select from owners where owners.user_id = $1))
                  and exists (select from owners where owners.user_id <> $10)
                returning memberships.*
             ), ",
            taken_off!("assignee", "user_id", assignee_ids),
            ", effect as (
                select gone.project_id as project, gone.user_id as target, ",
            json!("gone", "users"),
            " as before, null::jsonb as after from gone join users on users.id = gone.user_id
             )"
        ),
    )
    .bind(project_id)
    .bind(member)
    .bind(versions.clone())
    .run(&context.database)
    .await?;
    if let Some(done) = removed {
        return Ok(done.respond());
    }
    require_owner_or_self(&mut *context.database.connection().await?, &caller, project_id, member).await?;
    Err(refusal(&mut *context.database.connection().await?, project_id, member, versions).await)
}

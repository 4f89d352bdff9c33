use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    access::{Caller, Role},
    extract::{Body, Ids},
    member::{Member, json, refusal},
    problem::Problem,
    project,
    router::Context,
    version::IfMatch,
    write::{Write, change},
};

/// What the member is to be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleChange {
    role: Role,
}

/// Change the role of a member
///
/// For owners.
#[utoipa::path(
    patch, path = "/api/v1/projects/{id}/members/{user_id}", operation_id = "change_role", tag = "members",
    params(
        ("id" = Uuid, Path, description = "The project"),
        ("user_id" = Uuid, Path, description = "The member"),
        ("if-match" = String, Header, description = "Its ETag: the member's version in double quotes"),
    ),
    request_body = RoleChange,
    responses(
        (status = 200, description = "As it is now", body = Member),
        (status = 409, description = "The project would be left without an owner"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn change_role(
    State(context): State<Context>,
    caller: Caller,
    Ids(project_id, member): Ids,
    if_match: IfMatch,
    Body(change): Body<RoleChange>,
) -> Result<Response, Problem> {
    let versions = if_match.versions();
    let changed = Write::<Member>::new(
        &caller,
        "member.role_changed",
        StatusCode::OK,
        change!(
            "owners as (
                select user_id from memberships where project_id = $9 and role = 'owner' order by user_id for update
             ), old as (
                select memberships.* from memberships
                where project_id = $9 and user_id = $10 and ($11::bigint[] is null or version = any($11))
                  and exists (select from owners where owners.user_id = $1)
                  and ($12 = 'owner' or exists (select from owners where owners.user_id <> $10))
                for update
             ), new as (
                update memberships set role = $12, version = memberships.version + 1, updated_at = now()
                from old where memberships.project_id = old.project_id and memberships.user_id = old.user_id
                returning memberships.*
             ), effect as (
                select new.project_id as project, new.user_id as target, ",
            json!("old", "users"),
            " as before, ",
            json!("new", "users"),
            " as after
                from old join new on new.user_id = old.user_id join users on users.id = new.user_id
             )"
        ),
    )
    .bind(project_id)
    .bind(member)
    .bind(versions.clone())
    .bind(change.role.as_str())
    .run(&context.database)
    .await?;
    if let Some(done) = changed {
        return Ok(done.respond());
    }
    project::require_owner(&mut *context.database.connection().await?, &caller, project_id).await?;
    Err(refusal(&mut *context.database.connection().await?, project_id, member, versions).await)
}

use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{Caller, Role, secret::Presented},
    extract::Body,
    invitation::WORD,
    problem::Problem,
    router::Context,
    write::{Failed, Write, change},
};

/// What the invitation came with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acceptance {
    token: Presented,
}

/// Where the caller is now, and as what.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Joined {
    project_id: Uuid,
    role: Role,
}

/// Accept an invitation
#[utoipa::path(
    post, path = "/api/v1/invitations/accept", operation_id = "accept_invitation", tag = "members",
    request_body = Acceptance,
    responses(
        (status = 200, description = "The caller is a member now", body = Joined),
        (status = 404, description = "No invitation that is still good has this token"),
        (status = 409, description = "The caller is a member already"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn accept(
    State(context): State<Context>,
    caller: Caller,
    Body(acceptance): Body<Acceptance>,
) -> Result<Response, Problem> {
    let fingerprint = acceptance.token.fingerprint();
    let joined = Write::<Joined>::new(
        &caller,
        "member.joined",
        StatusCode::OK,
        change!(
            "used as (
                delete from invitations using memberships as inviter
                where invitations.token_sha256 = $9 and invitations.expires_at > now()
                  and inviter.project_id = invitations.project_id and inviter.user_id = invitations.invited_by
                  and inviter.role = 'owner'
                returning invitations.*
             ), joined as (
                insert into memberships (project_id, user_id, role) select project_id, $1, role from used returning *
             ), effect as (
                select project_id as project, user_id as target, null::jsonb as before,
                       jsonb_build_object('project_id', project_id, 'role', role) as after from joined
             )"
        ),
    )
    .bind(fingerprint.as_bytes().to_vec())
    .run(&context.database)
    .await;
    match joined {
        Ok(Some(done)) => Ok(done.respond_plainly()),
        Ok(None) => Err(Problem::NoSuch(WORD)),
        // The invitation stays good for whom it was meant for.
        Err(Failed::Constraint(constraint)) if constraint == "memberships_pkey" => {
            Err(Problem::Conflict("you are a member of this project already"))
        }
        Err(failed) => Err(failed.into()),
    }
}

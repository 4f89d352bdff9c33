use axum::{extract::State, http::StatusCode, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        Caller, Role,
        secret::{INVITATION, Secret},
    },
    effect::made,
    extract::{Body, Days, Id},
    invitation::{Invitation, json},
    problem::Problem,
    project,
    router::Context,
    write::{Failed, When, Write, change},
};

/// More than this waiting is no longer a list of people.
const MOST: i64 = 200;

/// Whom to invite as what.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewInvitation {
    role: Role,
    /// Days until it ends.
    #[serde(default = "a_week")]
    #[schema(value_type = u16, minimum = 1, maximum = 30, default = 7)]
    expires_in_days: Days<30>,
}

fn a_week() -> Days<30> {
    Days::new(7)
}

/// An invitation that was just made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeInvitation {
    #[serde(flatten)]
    made: Invitation,
    /// What the invited accepts it by: shown this once, and null when the request is repeated under its Idempotency-Key.
    token: Option<String>,
}

/// Invite somebody into a project
///
/// For owners. Hand the token to whom it is for: it can be accepted once.
#[utoipa::path(
    post, path = "/api/v1/projects/{id}/invitations", operation_id = "create_invitation", tag = "members",
    params(("id" = Uuid, Path, description = "The project")),
    request_body = NewInvitation,
    responses(
        (status = 201, description = "Made", body = MadeInvitation),
        (status = 409, description = "There are too many already"),
    ),
    security(("session" = []), ("token" = ["projects:write"])),
)]
pub(crate) async fn create(
    State(context): State<Context>,
    caller: Caller,
    Id(project_id): Id,
    Body(new): Body<NewInvitation>,
) -> Result<Response, Problem> {
    let secret = Secret::new(INVITATION)?;
    let made = Write::<Invitation>::new(
        &caller,
        "invitation.created",
        StatusCode::CREATED,
        change!(
            "made as (
                insert into invitations (id, project_id, role, token_sha256, invited_by, expires_at)
                select $9, memberships.project_id, $11, $12, $1, now() + make_interval(days => $13) from memberships
                where memberships.project_id = $10 and memberships.user_id = $1 and memberships.role = 'owner'
                  and (select count(*) from invitations where invitations.project_id = $10) < $14
                returning *
             )",
            made!("project_id", json!("made"))
        ),
    )
    .bind(Uuid::now_v7())
    .bind(project_id)
    .bind(new.role.as_str())
    .bind(secret.fingerprint().as_bytes().to_vec())
    .bind(new.expires_in_days.count())
    .bind(MOST)
    .run(&context.database)
    .await;
    let made = match made {
        Ok(made) => made,
        // The project went away meanwhile.
        Err(Failed::Constraint(constraint)) if constraint == "invitations_project_id_fkey" => None,
        Err(failed) => return Err(failed.into()),
    };
    let Some(made) = made else {
        project::require_owner(&mut *context.database.connection().await?, &caller, project_id).await?;
        return Err(Problem::Conflict("there are 200 invitations already; revoke one first"));
    };
    let token = match made.when {
        When::Now => Some(secret.expose().to_owned()),
        When::Before => None,
    };
    Ok(made.map(|made| MadeInvitation { made, token }).respond_plainly())
}

//! Members: who is in a project, and as what. One endpoint per file.
//!
//! A project always has an owner: the last one can neither leave nor become something less. Owners are locked while one
//! of them goes, so that two who go at once do not both rely on the other.

mod change_role;
mod list;
mod remove;

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    access::{Caller, Role},
    problem::Problem,
    project,
    router::Context,
    version::Version,
    write::Versioned,
};

const WORD: &str = "member";
const LAST_OWNER: &str = "a project keeps at least one owner; make another member one first";

pub(crate) fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new()
        .routes(routes!(list::list))
        .routes(routes!(change_role::change_role, remove::remove))
}

/// A user in a project, as the others there see this user.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Member {
    user_id: Uuid,
    name: String,
    role: Role,
    version: Version,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

impl Versioned for Member {
    fn version(&self) -> Version {
        self.version
    }
}

/// A `Member` out of a row of memberships and one of users.
macro_rules! json {
    ($member:literal, $user:literal) => {
        crate::row::object!(
            $member,
            user_id,
            name = concat!($user, ".name"),
            role,
            version,
            created_at,
            updated_at
        )
    };
}
use json;

/// Why a change of this member touched nothing. That the caller may do it is known already.
async fn refusal(connection: &mut PgConnection, project: Uuid, member: Uuid, versions: Option<Vec<i64>>) -> Problem {
    let found: Result<Option<(i64, bool)>, sqlx::Error> = sqlx::query_as(
        "select version, $3::bigint[] is null or version = any($3)
         from memberships where project_id = $1 and user_id = $2",
    )
    .bind(project)
    .bind(member)
    .bind(versions)
    .fetch_optional(connection)
    .await;
    match found {
        Ok(Some((_, true))) => Problem::Conflict(LAST_OWNER),
        Ok(Some((current, false))) => Problem::Stale {
            current: Version::from(current),
        },
        Ok(None) => Problem::NoSuch(WORD),
        Err(cause) => Problem::of_database(&cause),
    }
}

/// Owners may remove anybody; everybody may leave.
async fn require_owner_or_self(
    connection: &mut PgConnection,
    caller: &Caller,
    project: Uuid,
    member: Uuid,
) -> Result<(), Problem> {
    if member == caller.user {
        project::role(connection, caller, project).await.map(|_| ())
    } else {
        project::require_owner(connection, caller, project).await
    }
}

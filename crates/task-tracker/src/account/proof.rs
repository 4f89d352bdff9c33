//! That somebody without a session is who they say: by address and password, as often as the limits allow, and in the same
//! time whether or not there is such an account.

use std::net::IpAddr;

use serde::Deserialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    access::{
        password::{Password, Verdict},
        throttle::Limit,
    },
    account::limits,
    problem::Problem,
    router::Context,
    telemetry::RequestId,
    text::Email,
};

/// Who somebody says they are.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    email: Email,
    password: Password,
}

/// Who it is, and the hash that the password was held against: what it is used for asks whether it still is that one.
pub(super) struct Proof {
    pub(super) user: Uuid,
    pub(super) verified: String,
}

/// `accounts` gives the id and the hash of the account with the address `$1`, of those that count.
pub(super) async fn of(
    context: &Context,
    (from, request_id): (IpAddr, &RequestId),
    login: Login,
    accounts: &'static str,
) -> Result<Proof, Problem> {
    let counts = limits::of_login(login.email.as_str(), from);
    let mut connection = context.database.connection().await?;
    Limit::charge(&counts, &mut connection).await?;
    let account: Option<(Uuid, String)> = sqlx::query_as(accounts)
        .bind(login.email.as_str())
        .fetch_optional(&mut *connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    // A hash takes its time; the connection is for others meanwhile.
    drop(connection);
    let (id, hash) = account.unzip();
    let verdict = context.passwords.verify(login.password, hash.clone()).await?;

    let mut connection = context.database.connection().await?;
    match (id, hash, verdict) {
        (Some(user), Some(verified), Verdict::Right) => {
            let [(_, own), ..] = &counts;
            Limit::forgive(own, &mut connection).await?;
            Ok(Proof { user, verified })
        }
        (id, ..) => {
            // The same statement for an account and for none.
            record_refusal(&mut connection, id, request_id).await?;
            Err(Problem::WrongCredentials)
        }
    }
}

async fn record_refusal(
    connection: &mut PgConnection,
    user: Option<Uuid>,
    request_id: &RequestId,
) -> Result<(), Problem> {
    sqlx::query("insert into events (action, target_id, request_id) values ('session.refused', $1, $2)")
        .bind(user)
        .bind(request_id.to_string())
        .execute(connection)
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    Ok(())
}

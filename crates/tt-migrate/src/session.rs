//! The one connection of a run, with its settings, and proof that they arrived.
//!
//! Settings travel in the start-up packet, so there is no moment without them. A pooler refuses such a packet or drops what
//! it does not know: reading the settings back tells.

use std::{str::FromStr, time::Duration};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions, raw_sql};

use crate::{
    failure::{Cause, Failure},
    limits::Limits,
};

/// How a run shows in `pg_stat_activity`.
pub const APPLICATION: &str = "tt-migrate";

/// Where the database is. Takes a URL; never repeats it.
pub fn target(url: &str) -> Result<PgConnectOptions, Failure> {
    let scheme = url.starts_with("postgres://") || url.starts_with("postgresql://");
    match PgConnectOptions::from_str(url) {
        Ok(options) if scheme => Ok(options),
        Ok(_) | Err(_) => Err(Failure::Url),
    }
}

pub(crate) async fn connect(target: &PgConnectOptions, limits: &Limits) -> Result<PgConnection, Failure> {
    if is_rds_proxy(target.get_host()) {
        return Err(Failure::Pooler {
            how: "the name is that of an RDS Proxy".to_owned(),
        });
    }
    let wanted = settings(limits);
    let connected = target
        .clone()
        .application_name(APPLICATION)
        .options(wanted.iter().map(|(name, value)| (*name, value.as_str())))
        .disable_statement_logging()
        .connect()
        .await;
    let mut connection = match connected {
        Ok(connection) => connection,
        Err(error) => return Err(refusal(error)),
    };
    match verify(&mut connection, &wanted).await {
        Ok(()) => Ok(connection),
        Err(failure) => {
            drop(connection.close().await);
            Err(failure)
        }
    }
}

/// "Amazon RDS User Guide", connecting through RDS Proxy: an endpoint is `NAME.proxy-ID.REGION.rds.amazonaws.com`.
fn is_rds_proxy(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let amazon = host.ends_with(".rds.amazonaws.com") || host.ends_with(".rds.amazonaws.com.cn");
    amazon && host.split('.').any(|part| part.starts_with("proxy-"))
}

fn settings(limits: &Limits) -> Vec<(&'static str, String)> {
    let milliseconds = |duration: Duration| duration.as_millis().to_string();
    vec![
        ("lock_timeout", milliseconds(limits.lock)),
        ("statement_timeout", milliseconds(limits.blocking)),
        ("idle_in_transaction_session_timeout", "60000".to_owned()),
        // Without it the server goes on with a statement whose client was killed, and may commit it.
        ("client_connection_check_interval", "1000".to_owned()),
    ]
}

fn refusal(error: sqlx::Error) -> Failure {
    let cause = Cause::from(error);
    let said = cause.to_string();
    // PgBouncer and RDS Proxy, each in its own words.
    let pooler = [
        "unsupported startup parameter",
        "doesn't support command-line options",
        "does not support command-line options",
    ];
    if pooler.iter().any(|words| said.contains(words)) {
        Failure::Pooler {
            how: "it refuses the settings of a session".to_owned(),
        }
    } else {
        Failure::Unreachable(cause)
    }
}

async fn verify(connection: &mut PgConnection, wanted: &[(&str, String)]) -> Result<(), Failure> {
    let failed = Failure::query("read the session's settings");
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    let (standby, arrived): (bool, i64) = sqlx::query_as(
        "select pg_is_in_recovery(), (select count(*) from pg_settings where name = any($1) and source = 'client')",
    )
    .bind(&names)
    .fetch_one(&mut *connection)
    .await
    .map_err(failed)?;
    if standby {
        return Err(Failure::Standby);
    }
    if usize::try_from(arrived) == Ok(wanted.len()) {
        Ok(())
    } else {
        Err(Failure::Pooler {
            how: "the settings of the session did not arrive".to_owned(),
        })
    }
}

/// Begins a transaction, and bounds what comes in it: one message, so that there is no moment between the two.
pub(crate) async fn begin(
    connection: &mut PgConnection,
    lock: Duration,
    statement: Duration,
) -> Result<(), sqlx::Error> {
    let milliseconds = |duration: Duration| duration.as_millis().max(1);
    let sql = format!(
        "begin; set local lock_timeout = {}; set local statement_timeout = {}",
        milliseconds(lock),
        milliseconds(statement)
    );
    raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

/// Ends what [`begin`] began.
pub(crate) async fn commit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    raw_sql("commit").execute(connection).await.map(drop)
}

/// Undoes what came since [`begin`]. A session that cannot be told has ended, which undoes it too.
pub(crate) async fn roll_back(connection: &mut PgConnection) {
    drop(raw_sql("rollback").execute(connection).await);
}

/// Bounds what comes next, for the session.
pub(crate) async fn bound(
    connection: &mut PgConnection,
    lock: Duration,
    statement: Duration,
) -> Result<(), sqlx::Error> {
    let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis().max(1));
    sqlx::query("select set_config('lock_timeout', $1, false), set_config('statement_timeout', $2, false)")
        .bind(milliseconds(lock))
        .bind(milliseconds(statement))
        .execute(connection)
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_refused_without_being_repeated() {
        for url in ["", "mysql://u:hunter2@h/d", "postgres://u:hunter2@h:port/d", "hunter2"] {
            let failure = target(url).unwrap_err();
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
    }

    #[test]
    fn a_proxy_is_known_by_its_name() {
        assert!(is_rds_proxy("tasks.proxy-c1abc.eu-central-1.rds.amazonaws.com"));
        assert!(!is_rds_proxy("tasks.c1abc.eu-central-1.rds.amazonaws.com"));
        assert!(!is_rds_proxy("proxy-db.internal"));
    }
}

//! What the doctor sees of the database: reachable, the right schema and rights, the same time, room for all connections.

use std::time::Instant;

use sqlx::{ConnectOptions, Connection, PgConnection};
use time::OffsetDateTime;

use super::{Finding, PATIENCE};
use crate::{
    config::{DatabaseUrl, Settings},
    schema,
};

/// Seconds that the clocks may differ: credentials and signatures count in minutes.
const CLOCKS_MAY_DIFFER: f64 = 1.0;
const CLOCKS_MUST_NOT_DIFFER: f64 = 30.0;
/// `pg_current_xact_id`, which events are ordered by, came with PostgreSQL 13.
const OLDEST: i32 = 130_000;

/// Everything about it, over one connection.
pub(super) async fn look(url: &DatabaseUrl, settings: &Settings, tasks: u32, say: &mut (dyn FnMut(Finding) + Send)) {
    let mut connection = match connect(url).await {
        Ok(connection) => connection,
        Err(finding) => {
            say(finding);
            for check in ["schema", "rights", "clock", "connections"] {
                say(Finding::skipped(check, "there is no connection to look over"));
            }
            return;
        }
    };
    say(server(&mut connection)
        .await
        .unwrap_or_else(|cause| unread("database", &cause)));
    say(fits(&mut connection).await);
    say(rights(&mut connection)
        .await
        .unwrap_or_else(|cause| unread("rights", &cause)));
    say(clock(&mut connection)
        .await
        .unwrap_or_else(|cause| unread("clock", &cause)));
    say(room(&mut connection, settings, tasks)
        .await
        .unwrap_or_else(|cause| unread("connections", &cause)));
    drop(connection.close().await);
}

fn unread(check: &'static str, cause: &sqlx::Error) -> Finding {
    Finding::failed(
        check,
        format!("could not be read: {cause}"),
        "see what the database's log says",
    )
}

async fn connect(url: &DatabaseUrl) -> Result<PgConnection, Finding> {
    const CHECK: &str = "database";
    let refused = |why: String| {
        let next = "check the URL, the security groups, and that the database runs";
        Finding::failed(CHECK, format!("could not connect: {why}"), next)
    };
    let options = url.options().map_err(|cause| refused(cause.to_string()))?;
    let options = options.application_name("task-tracker doctor").options([
        ("statement_timeout", "5s"),
        ("lock_timeout", "2s"),
        ("default_transaction_read_only", "on"),
    ]);
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(connected) => connected.map_err(|cause| refused(cause.to_string())),
        Err(_) => Err(refused(format!("no answer within {} s", PATIENCE.as_secs()))),
    }
}

async fn server(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    const CHECK: &str = "database";
    let asked = Instant::now();
    let (version, number, user, is_standby, is_remote, is_sealed): (String, i32, String, bool, bool, bool) =
        sqlx::query_as(
            "select current_setting('server_version'), current_setting('server_version_num')::int, current_user::text,
                pg_is_in_recovery(), inet_server_addr() is not null,
                coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false)",
        )
        .fetch_one(connection)
        .await?;
    let took = asked.elapsed().as_millis();
    if number < OLDEST {
        let detail = format!("PostgreSQL {version} is too old");
        return Ok(Finding::failed(CHECK, detail, "13 is the oldest that will do"));
    }
    if is_standby {
        let detail = "this is a standby, which takes no changes";
        return Ok(Finding::failed(CHECK, detail, "name the primary in the URL"));
    }
    let detail = format!("PostgreSQL {version} answers in {took} ms to `{user}`");
    if is_remote && !is_sealed {
        let detail = format!("{detail}, without TLS");
        return Ok(Finding::warning(CHECK, detail, "end the URL in ?sslmode=verify-full"));
    }
    Ok(Finding::ok(CHECK, detail))
}

async fn fits(connection: &mut PgConnection) -> Finding {
    const CHECK: &str = "schema";
    const NEXT: &str = "run `task-tracker migrate` of this release";
    let migrations = match schema::migrations() {
        Ok(migrations) => migrations,
        Err(cause) => return Finding::failed(CHECK, cause.to_string(), "build the release anew"),
    };
    let needs = migrations.schema().needs;
    match tt_migrate::fits(connection, &migrations).await {
        Ok(Ok(())) => Finding::ok(CHECK, format!("this release needs version {needs}, and finds it")),
        Ok(Err(unfit)) => Finding::failed(CHECK, unfit.to_string(), NEXT),
        Err(cause) => Finding::failed(CHECK, cause.to_string(), NEXT),
    }
}

/// A restored or copied database often has the tables and not the grants.
async fn rights(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    const CHECK: &str = "rights";
    let (tables, lacking): (i64, Option<String>) = sqlx::query_as(
        "select count(*), string_agg(relname::text, ', ' order by relname) filter (where not (
                has_table_privilege(oid, 'select') and has_table_privilege(oid, 'insert')
                and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete')))
         from pg_class
         where relkind in ('r', 'p') and relnamespace = 'public'::regnamespace and relname <> '_sqlx_migrations'
           and relname not like 'tt\\_%'",
    )
    .fetch_one(connection)
    .await?;
    Ok(match lacking {
        Some(lacking) => {
            let detail = format!("this role may not read and change all of: {lacking}");
            Finding::failed(CHECK, detail, "grant select, insert, update and delete on them")
        }
        None => Finding::ok(CHECK, format!("this role may read and change all {tables} tables")),
    })
}

async fn clock(connection: &mut PgConnection) -> Result<Finding, sqlx::Error> {
    const CHECK: &str = "clock";
    let (before, asked) = (OffsetDateTime::now_utc(), Instant::now());
    let there: OffsetDateTime = sqlx::query_scalar("select clock_timestamp()")
        .fetch_one(connection)
        .await?;
    // Read there at some moment between question and answer.
    let way = asked.elapsed() / 2;
    let apart = (there - (before + way)).as_seconds_f64().abs();
    let detail = format!("{apart:.3} s from the database's");
    Ok(if apart > CLOCKS_MUST_NOT_DIFFER {
        Finding::failed(CHECK, detail, "let both take their time from the same source")
    } else if apart > CLOCKS_MAY_DIFFER {
        Finding::warning(CHECK, detail, "let both take their time from the same source")
    } else {
        Finding::ok(CHECK, detail)
    })
}

/// Whether all tasks' pools fit beside what others hold by now.
async fn room(connection: &mut PgConnection, settings: &Settings, tasks: u32) -> Result<Finding, sqlx::Error> {
    const CHECK: &str = "connections";
    let (most, others, of_role): (i64, i64, i64) = sqlx::query_as(
        "select current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint,
                (select count(*) from pg_stat_activity
                 where backend_type = 'client backend' and application_name not like 'task-tracker%'),
                (select rolconnlimit::bigint from pg_roles where rolname = current_user)",
    )
    .fetch_one(connection)
    .await?;
    // Beside the pool, `/readyz` has a connection of its own.
    let wanted = i64::from(tasks) * (i64::from(settings.database_pool) + 1);
    let detail = format!("{tasks} tasks want {wanted} connections, of {most}; others have {others}");
    Ok(if of_role >= 0 && wanted > of_role {
        let detail = format!("{detail}; this role may have {of_role}");
        Finding::failed(
            CHECK,
            detail,
            "lower DATABASE_POOL, or raise the role's connection limit",
        )
    } else if wanted > most {
        Finding::failed(CHECK, detail, "lower DATABASE_POOL, or raise max_connections")
    } else if wanted + others > most {
        Finding::warning(CHECK, detail, "lower DATABASE_POOL, or raise max_connections")
    } else {
        Finding::ok(CHECK, detail)
    })
}

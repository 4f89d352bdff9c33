//! The same change twice, each on a fresh copy of the table and with users on it.

use std::time::{Duration, Instant};

use serde::Serialize;
use sqlx::{
    AssertSqlSafe, PgConnection, SqlSafeStr,
    migrate::{MigrationType, Migrator},
};
use tt_migrate::{Job, Limits, Migrations, Phase, Resume, Up};

use crate::{
    Failure,
    changes::{self, Change},
    cluster::{Database, execute},
    users::{Stall, Users},
};

/// One change in both forms.
#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    pub(crate) naive: Taken,
    pub(crate) safe: Taken,
}

/// How long users waited at most, and how long it took.
#[derive(Debug, Serialize)]
pub(crate) struct Taken {
    pub(crate) stall: Stall,
    pub(crate) seconds: f64,
}

/// Many small migrations, and then none.
#[derive(Debug, Serialize)]
pub(crate) struct Many {
    pub(crate) migrations: u32,
    pub(crate) sqlx_seconds: f64,
    pub(crate) engine_seconds: f64,
    pub(crate) sqlx_nothing_pending_ms: f64,
    pub(crate) engine_nothing_pending_ms: f64,
}

pub(crate) async fn change(table: &Database, change: &Change) -> Result<Measured, Failure> {
    let safe = changes::release(change.safe.iter().copied())?;
    let naive = under_load(table, async |database| {
        by_sqlx(database, &[change.naive.to_owned()]).await
    })
    .await?;
    let safe = under_load(table, async |database| by_engine(database, &safe).await).await?;
    Ok(Measured {
        name: change.name,
        naive,
        safe,
    })
}

/// A report reads for ten seconds; half a second later somebody adds a column.
pub(crate) async fn behind_a_reader(table: &Database) -> Result<Measured, Failure> {
    const ADD: &str = "alter table big add column extra text";
    let safe = changes::release([format!("-- tt: phase=expand\n{ADD}").as_str()])?;
    let read = async |database: &Database| {
        let mut reader = database.connect().await;
        tokio::spawn(async move {
            execute(
                &mut reader,
                "begin; select count(*) from kinds, big where big.id = 1; select pg_sleep(10); commit",
            )
            .await;
        });
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let naive = under_load(table, async |database| {
        read(database).await;
        by_sqlx(database, &[ADD.to_owned()]).await
    })
    .await?;
    let safe = under_load(table, async |database| {
        read(database).await;
        by_engine(database, &safe).await
    })
    .await?;
    Ok(Measured {
        name: "add column behind a 10 s reader",
        naive,
        safe,
    })
}

/// Enough for each runner to meet the machine at rest once.
const ROUNDS: u32 = 5;

/// Small migrations on an empty database; the runners take turns, and the best counts for each.
pub(crate) async fn many(migrations: u32) -> Result<Many, Failure> {
    let texts: Vec<String> = (1..=migrations)
        .map(|n| format!("-- tt: phase=expand\ncreate table t{n} (id int primary key)"))
        .collect();
    let release = changes::release(texts.iter().map(String::as_str))?;
    let mut best = Many {
        migrations,
        sqlx_seconds: f64::MAX,
        engine_seconds: f64::MAX,
        sqlx_nothing_pending_ms: f64::MAX,
        engine_nothing_pending_ms: f64::MAX,
    };
    for _ in 0..ROUNDS {
        let database = Database::empty().await;
        best.sqlx_seconds = best.sqlx_seconds.min(seconds(by_sqlx(&database, &texts)).await?);
        best.sqlx_nothing_pending_ms = best
            .sqlx_nothing_pending_ms
            .min(seconds(by_sqlx(&database, &texts)).await? * 1e3);
        let database = Database::empty().await;
        best.engine_seconds = best.engine_seconds.min(seconds(by_engine(&database, &release)).await?);
        best.engine_nothing_pending_ms = best
            .engine_nothing_pending_ms
            .min(seconds(by_engine(&database, &release)).await? * 1e3);
    }
    Ok(best)
}

async fn under_load(
    table: &Database,
    change: impl AsyncFnOnce(&Database) -> Result<(), Failure>,
) -> Result<Taken, Failure> {
    let database = table.copy().await;
    let rows = database.number("select max(id) from big").await;
    // Each by itself: PostgreSQL refuses to vacuum beside another statement.
    database.execute("vacuum analyze big").await;
    database.execute("checkpoint").await;
    let users = Users::start(&database, rows).await?;
    let begun = Instant::now();
    let outcome = change(&database).await;
    let seconds = begun.elapsed().as_secs_f64();
    let stall = users.stop().await?;
    outcome?;
    database.drop().await;
    Ok(Taken { stall, seconds })
}

async fn seconds(work: impl Future<Output = Result<(), Failure>>) -> Result<f64, Failure> {
    let begun = Instant::now();
    work.await?;
    Ok(begun.elapsed().as_secs_f64())
}

async fn by_sqlx(database: &Database, texts: &[String]) -> Result<(), Failure> {
    let migrations = texts.iter().zip(1..).map(|(text, version)| {
        let sql = AssertSqlSafe(text.clone()).into_sql_str();
        sqlx::migrate::Migration::new(version, "change".into(), MigrationType::ReversibleUp, sql, false)
    });
    let mut connection: PgConnection = database.connect().await;
    Migrator::with_migrations(migrations.collect())
        .run(&mut connection)
        .await?;
    Ok(())
}

async fn by_engine(database: &Database, migrations: &Migrations) -> Result<(), Failure> {
    let (target, limits) = (database.target(), Limits::default());
    let job = Job {
        target: &target,
        migrations,
        limits: &limits,
    };
    let request = Up {
        phases: Phase::ALL.to_vec(),
        resume: Resume::No,
    };
    tt_migrate::up(job, &request, &mut |_| {}).await?;
    Ok(())
}

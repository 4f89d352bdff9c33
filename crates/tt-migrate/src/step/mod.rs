//! Carrying out one migration: in a transaction, by itself, or in batches.
//!
//! Each way has its file. What they share: locks are asked for briefly and again, never without a timeout, and whoever
//! waits is told for whom.

mod alone;
mod backfill;
mod transaction;

use std::time::Duration;

use sqlx::PgConnection;
use tokio::time::Instant;

use crate::{
    event::Event,
    failure::{Cause, Failure},
    limits::Limits,
    load::Migration,
    phase::Version,
    script::{Script, Way},
};

pub(crate) use alone::{resume_down, resume_up};

/// What a step needs to be carried out.
pub(crate) struct Hands<'r> {
    pub(crate) connection: &'r mut PgConnection,
    pub(crate) limits: &'r Limits,
    pub(crate) emit: &'r mut (dyn FnMut(Event) + Send),
}

/// How it went.
pub(crate) struct Done {
    /// For so long at most users had to wait.
    pub(crate) stall: Option<Duration>,
    pub(crate) tries: u32,
}

pub(crate) async fn up(hands: &mut Hands<'_>, migration: &Migration) -> Result<Done, Failure> {
    match &migration.up.way {
        Way::Transaction => transaction::up(hands, migration).await,
        Way::Alone(alone) => alone::up(hands, migration, alone).await,
        Way::Batches { write, rows } => backfill::up(hands, migration, write, *rows).await,
    }
}

pub(crate) async fn down(
    hands: &mut Hands<'_>,
    migration: &Migration,
    accepted: &[crate::loss::Accepted],
) -> Result<Done, Failure> {
    match &migration.down.way {
        Way::Alone(alone) => alone::down(hands, migration, alone).await,
        Way::Transaction | Way::Batches { .. } => transaction::down(hands, migration, accepted).await,
    }
}

/// Between tries: longer each time, and never in step with anybody else.
async fn pause(tries: u32) {
    let longest = 50u64.saturating_mul(1 << tries.min(6)).min(2_000);
    let milliseconds = rand::random_range(longest / 2..=longest);
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
}

fn failed(version: Version, script: &Script, cause: Cause) -> Failure {
    Failure::Step {
        version,
        file: script.file.clone(),
        cause,
    }
}

/// What is left of a time, never nothing: PostgreSQL takes 0 for "no limit".
fn left(deadline: Instant) -> Duration {
    deadline
        .saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1))
}

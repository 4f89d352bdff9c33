//! Two readers and two writers of the table, each with a session of its own, and the longest that any of them waited.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{Connection, PgConnection};
use tokio::task::JoinHandle;

use crate::{Failure, cluster::Database};

/// The longest waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub(crate) struct Stall {
    pub(crate) read_ms: f64,
    pub(crate) write_ms: f64,
}

pub(crate) struct Users {
    over: Arc<AtomicBool>,
    readers: Vec<JoinHandle<Result<Duration, sqlx::Error>>>,
    writers: Vec<JoinHandle<Result<Duration, sqlx::Error>>>,
}

const READ: &str = "select note from big where id = $1";
const WRITE: &str = "update big set kind = (kind + 1) % 100 where id = $1";

impl Users {
    /// They are at work when this returns.
    pub(crate) async fn start(database: &Database, rows: i64) -> Result<Self, Failure> {
        let over = Arc::new(AtomicBool::new(false));
        let mut users = Self {
            over: Arc::clone(&over),
            readers: Vec::new(),
            writers: Vec::new(),
        };
        for _ in 0..2 {
            let reader = database.connect().await;
            users
                .readers
                .push(tokio::spawn(work(reader, READ, rows, Arc::clone(&over))));
            let writer = database.connect().await;
            users
                .writers
                .push(tokio::spawn(work(writer, WRITE, rows, Arc::clone(&over))));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(users)
    }

    pub(crate) async fn stop(self) -> Result<Stall, Failure> {
        self.over.store(true, Ordering::Relaxed);
        let mut stall = Stall::default();
        for reader in self.readers {
            stall.read_ms = stall.read_ms.max(reader.await??.as_secs_f64() * 1e3);
        }
        for writer in self.writers {
            stall.write_ms = stall.write_ms.max(writer.await??.as_secs_f64() * 1e3);
        }
        Ok(stall)
    }
}

/// The first requests prepare the statement and warm the connection: they do not count.
async fn work(
    mut connection: PgConnection,
    statement: &'static str,
    rows: i64,
    over: Arc<AtomicBool>,
) -> Result<Duration, sqlx::Error> {
    let mut longest = Duration::ZERO;
    let mut requests = 0u32;
    while !over.load(Ordering::Relaxed) {
        let id = rand::random_range(1..=rows);
        let asked = Instant::now();
        sqlx::query(statement).bind(id).execute(&mut connection).await?;
        requests += 1;
        if requests > 20 {
            longest = longest.max(asked.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    connection.close().await?;
    Ok(longest)
}

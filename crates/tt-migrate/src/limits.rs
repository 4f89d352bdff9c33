//! How long anything may take. Plain values with the defaults that suit a database with users on it.

use std::time::Duration;

/// How long anything may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For another runner to end.
    pub turn: Duration,
    /// One try to get a lock that users would queue behind. Theirs is the wait, so this stays short.
    pub lock: Duration,
    /// All tries together, the looks before them included.
    pub patience: Duration,
    /// A transaction that is at least this old is waited for before a try; a younger one ends by itself in time.
    pub old: Duration,
    /// A statement that keeps users of a table waiting while it works.
    pub blocking: Duration,
    /// A statement that keeps nobody waiting, and `create index concurrently` with its retries.
    pub alone: Duration,
    /// One batch of a backfill; its rows are locked for so long. Batches shrink until they fit.
    pub batch: Duration,
    /// For a database that went away to come back.
    pub outage: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            turn: Duration::from_mins(1),
            lock: Duration::from_millis(200),
            patience: Duration::from_mins(5),
            old: Duration::from_millis(100),
            blocking: Duration::from_secs(5),
            alone: Duration::from_hours(2),
            batch: Duration::from_millis(40),
            outage: Duration::from_mins(1),
        }
    }
}

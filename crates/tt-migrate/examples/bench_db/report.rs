//! The figures, as JSON and as a table.

use std::fmt;

use serde::Serialize;

use crate::compare::{Many, Measured};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) rows: u32,
    pub(crate) changes: Vec<Measured>,
    pub(crate) behind_a_reader: Measured,
    pub(crate) many: Many,
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "{} rows, 2 readers and 2 writers: longest wait in ms, read / write",
            self.rows
        )?;
        writeln!(
            formatter,
            "{:<34} {:>17} {:>17} {:>8}",
            "", "as people write", "this engine", "took"
        )?;
        for measured in self.changes.iter().chain([&self.behind_a_reader]) {
            let pair =
                |taken: &crate::compare::Taken| format!("{:.0} / {:.0}", taken.stall.read_ms, taken.stall.write_ms);
            let (naive, safe) = (pair(&measured.naive), pair(&measured.safe));
            let took = format!("{:.1} s", measured.safe.seconds);
            writeln!(formatter, "{:<34} {naive:>17} {safe:>17} {took:>8}", measured.name)?;
        }
        let many = &self.many;
        writeln!(
            formatter,
            "{} small migrations on an empty database: sqlx {:.2} s, this engine {:.2} s ({:.2} times)",
            many.migrations,
            many.sqlx_seconds,
            many.engine_seconds,
            many.engine_seconds / many.sqlx_seconds
        )?;
        writeln!(
            formatter,
            "nothing pending: sqlx {:.0} ms, this engine {:.0} ms",
            many.sqlx_nothing_pending_ms, many.engine_nothing_pending_ms
        )
    }
}

//! A release that needs more of the schema than the one before: the service, with three migrations of its own.
//!
//! A program of its own, so that a rehearsal can show a schema that grows under load while nothing of it is in the service:
//! a column, an index that is built beside the writes, and a value for the rows that were there before.

use std::process::ExitCode;

const MIGRATIONS: &[(&str, &str)] = &[
    ("0100_task_estimates.up.sql", include_str!("0100_task_estimates.up.sql")),
    (
        "0100_task_estimates.down.sql",
        include_str!("0100_task_estimates.down.sql"),
    ),
    (
        "0101_find_by_estimate.up.sql",
        include_str!("0101_find_by_estimate.up.sql"),
    ),
    (
        "0101_find_by_estimate.down.sql",
        include_str!("0101_find_by_estimate.down.sql"),
    ),
    (
        "0102_estimate_old_tasks.up.sql",
        include_str!("0102_estimate_old_tasks.up.sql"),
    ),
    (
        "0102_estimate_old_tasks.down.sql",
        include_str!("0102_estimate_old_tasks.down.sql"),
    ),
];

fn main() -> ExitCode {
    task_tracker::program_with_migrations(MIGRATIONS)
}

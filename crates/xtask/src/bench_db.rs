//! `make bench-db`: how long users wait for a change of the schema, next to the same change as people write it.
//!
//! The measuring is a program of `tt-migrate`'s, so that this one stays quick to build.

use std::process::{Command, Stdio};

use clap::Args;

use crate::{bench_export, child::Child, failure::Failure, interrupt::Interrupt, place::Place, say, setup};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rows of the table that is changed
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    rows: u32,
}

/// Measures, prints the table, and writes `target/bench/db.json`.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, options: &Options) -> Result<(), Failure> {
    let path = place.results("bench").join("db.json");
    setup::everything(interrupt)?;
    say::act(
        "Changes under load",
        "Each change twice on a PostgreSQL of its own, with readers and writers on the table. It takes some minutes.",
    );
    let mut measure = Command::new("cargo");
    measure
        .args([
            "run",
            "--quiet",
            "--locked",
            "--package",
            "tt-migrate",
            "--example",
            "bench_db",
            "--",
        ])
        .arg(&path)
        .arg(options.rows.to_string())
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("bench_db", measure)?.succeed(interrupt)?;
    say::line(format!("written to {}", path.display()));
    bench_export::run(place, interrupt)
}

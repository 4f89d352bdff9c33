//! `make bench-db`: how long users wait for a change of the schema, next to the same change as people write it.
//!
//! The measuring is a program of `tt-migrate`'s, so that this one stays quick to build.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use clap::Args;

use crate::{
    bench_export,
    child::Child,
    failure::Failure,
    interrupt::Interrupt,
    machine::Machine,
    place::{PROFILE, Place},
    say, setup,
};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Rows of the table that is changed
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    rows: u32,
    /// Size of the database that is exported and restored, in megabytes
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    megabytes: u32,
    /// How often it is exported and restored, each time by hand as well
    #[arg(long, value_name = "N", default_value_t = 3)]
    rounds: u32,
}

/// Measures, prints the tables, and writes `target/bench/db.json`.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, options: &Options) -> Result<(), Failure> {
    let path = place.results("bench").join("db.json");
    setup::database(interrupt)?;
    build(place, interrupt)?;
    say::act(
        "Changes under load",
        "Each change twice on a PostgreSQL of its own, with readers and writers on the table. It takes some minutes.",
    );
    let mut measure = Command::new(place.example("bench_db"));
    measure
        .arg(&path)
        .arg(options.rows.to_string())
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("bench_db", measure)?.succeed(interrupt)?;
    let machine = Machine::here();
    add_machine(&path, &machine)?;
    say::line(format!(
        "\nThe figures are in {}, measured on {machine}.",
        path.display()
    ));
    bench_export::run(place, interrupt, options.megabytes, options.rounds)
}

/// Optimised, as the programs of the demo are: what waits is PostgreSQL, but what adds up over hundreds of small steps is ours.
fn build(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut command = Command::new("cargo");
    command
        .args(["build", "--locked", "--profile", PROFILE])
        .args(["--package", "tt-migrate", "--example", "bench_db"])
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("cargo build", command)?.succeed(interrupt)
}

fn add_machine(path: &Path, machine: &Machine) -> Result<(), Failure> {
    let unreadable = |cause| Failure::Json {
        path: path.to_owned(),
        cause,
    };
    let text = fs::read_to_string(path).map_err(|cause| Failure::Read {
        path: path.to_owned(),
        cause,
    })?;
    let mut figures: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).map_err(unreadable)?;
    figures.insert("machine".to_owned(), serde_json::to_value(machine).map_err(unreadable)?);
    let text = serde_json::to_string_pretty(&figures).map_err(unreadable)?;
    fs::write(path, text + "\n").map_err(|cause| Failure::Write {
        path: path.to_owned(),
        cause,
    })
}

//! The part of `make bench-db` that is about moving data: an export and its restore next to `pg_dump` and `pg_restore`.
//!
//! The measuring is a program of `tt-export`'s. It is optimised, as what it is compared with is.

use std::process::{Command, Stdio};

use crate::{
    child::Child,
    failure::Failure,
    interrupt::Interrupt,
    place::{PROFILE, Place},
    say,
};

/// Measures, prints the table, and writes `target/bench/export.json`.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, megabytes: u32, rounds: u32) -> Result<(), Failure> {
    let path = place.results("bench").join("export.json");
    say::act(
        "Export and restore",
        &format!(
            "A database of {megabytes} MB there and back {rounds} times, by the tool and by pg_dump and pg_restore in turn. It takes some minutes."
        ),
    );
    let mut measure = Command::new("cargo");
    measure
        .args(["run", "--quiet", "--locked", "--profile", PROFILE])
        .args(["--package", "tt-export", "--example", "bench_export", "--"])
        .arg(&path)
        .args([megabytes.to_string(), rounds.to_string()])
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("bench_export", measure)?.succeed(interrupt)?;
    say::line(format!("written to {}", path.display()));
    Ok(())
}

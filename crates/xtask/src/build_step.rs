//! Builds the programs of the story, with cargo's own progress to be seen: it takes minutes when nothing is built yet.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    child::Child,
    failure::Failure,
    interrupt::Interrupt,
    place::{PROFILE, Place},
    say,
};

/// The tool, the local AWS, the service, and two more releases of it: one that needs more of the schema, and a really bad one.
pub(crate) fn programs(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let started = Instant::now();
    let packages = [
        "--package",
        "tt-ops",
        "--package",
        "aws-sandbox",
        "--package",
        "task-tracker",
    ];
    let mut command = Command::new("cargo");
    command
        .args(["build", "--locked", "--profile", PROFILE])
        .args(packages)
        .args(["--bins", "--example", "faulty_release", "--example", "next_release"])
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("cargo build", command)?.succeed(interrupt)?;
    say::line(format!("built in {:.0} s", started.elapsed().as_secs_f64()));
    Ok(())
}

/// The tool as a CI image would carry it: optimised, and without the sandbox.
pub(crate) fn release_tool(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut command = Command::new("cargo");
    command
        .args([
            "build",
            "--locked",
            "--release",
            "--package",
            "tt-ops",
            "--no-default-features",
        ])
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("cargo build --release", command)?.succeed(interrupt)
}

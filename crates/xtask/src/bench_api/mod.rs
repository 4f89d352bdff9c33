//! `make bench-api`: what the service costs, on this machine, next to the same five endpoints by others.
//!
//! Everything on one PostgreSQL in one run, the servers in turns, the users in a process of their own. Figures are printed
//! and written down; a request that fails makes it fail, a slow one does not.

mod crowd;
mod figures;
mod listeners;
mod peers;
mod pgbench;
mod proc;
mod requests;
mod rest;
mod server;
mod stage;
mod users;

use std::{
    fs,
    process::{Command, Stdio},
};

use clap::{Args, ValueEnum};

use crate::{
    bench_api::{figures::Figures, server::Server, stage::Stage, users::Users},
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
    /// What to measure; all of it when not said
    #[arg(long, value_name = "PART", value_delimiter = ',', default_values_t = Part::ALL)]
    part: Vec<Part>,
    /// Turns of each server at each endpoint
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long a turn takes
    #[arg(long, value_name = "SECONDS", default_value_t = 4.0)]
    seconds: f64,
    /// Requests in flight during a turn, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 32)]
    connections: usize,
    /// Users who are there at once, each with a request every 10 s
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    users: usize,
    /// Listeners to events
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    listeners: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Memory and time of a start
    Rest,
    /// The five endpoints, next to the peers and to pgbench
    Requests,
    /// Many users at once
    Crowd,
    /// Events, and how long until they are heard
    Listeners,
}

impl Part {
    const ALL: [Self; 4] = [Self::Rest, Self::Requests, Self::Crowd, Self::Listeners];
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rest => "rest",
            Self::Requests => "requests",
            Self::Crowd => "crowd",
            Self::Listeners => "listeners",
        })
    }
}

/// Measures, prints the tables, and writes `target/bench/api.json`.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, options: &Options) -> Result<(), Failure> {
    let folder = place.results("bench");
    let path = folder.join("api.json");
    setup::everything(interrupt)?;
    build(place, interrupt)?;
    let wants = |part| options.part.contains(&part);
    let peers = if wants(Part::Requests) {
        peers::install(place, &folder, interrupt)?
    } else {
        Vec::new()
    };
    let stage = Stage::set(place, &folder, options.users, interrupt)?;
    let users = Users::new(place, &stage);

    let rest = wants(Part::Rest)
        .then(|| rest::measure(place, &stage, interrupt))
        .transpose()?;
    let ours = Server::ours(place, &stage, interrupt)?;
    let requests = wants(Part::Requests)
        .then(|| requests::measure(place, options, &ours, &peers, &stage, &users, interrupt))
        .transpose()?;
    let crowd = wants(Part::Crowd)
        .then(|| crowd::measure(options, &ours, &users, interrupt))
        .transpose()?;
    let listeners = wants(Part::Listeners)
        .then(|| listeners::measure(options, &ours, &users, interrupt))
        .transpose()?;
    drop((ours, stage));

    let figures = Figures {
        machine: Machine::here(),
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        rest,
        requests,
        crowd,
        listeners,
    };
    let text = serde_json::to_string_pretty(&figures).map_err(|cause| Failure::Json {
        path: path.clone(),
        cause,
    })?;
    fs::write(&path, text + "\n").map_err(|cause| Failure::Write {
        path: path.clone(),
        cause,
    })?;
    say::line(figures.tables());
    say::line(format!("written to {}", path.display()));
    figures.nothing_failed()
}

fn build(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    say::act(
        "Build",
        "The service as it is released, and its users; ten minutes when nothing is built yet.",
    );
    let service = ["--release", "--package", "task-tracker", "--bin", "task-tracker"];
    let users = ["--profile", PROFILE, "--package", "tt-load", "--example", "bench_users"];
    for what in [&service[..], &users] {
        let mut command = Command::new("cargo");
        command
            .args(["build", "--locked"])
            .args(what)
            .current_dir(place.root())
            .stdin(Stdio::null());
        Child::start("cargo build", command)?.succeed(interrupt)?;
    }
    Ok(())
}

//! The project's own chores: `cargo xtask demo` and its like. The Makefile is an index of them.
//!
//! Owns the order of programs: what is built, started, watched and ended. Knows the tool, the sandbox and the service
//! as programs only, by their command lines and by the files they write.

mod bench;
mod bench_api;
mod bench_db;
mod bench_export;
mod build_step;
mod child;
mod containers;
mod demo;
mod deny;
mod events;
mod failure;
mod http;
mod infrastructure;
mod interrupt;
mod load;
mod local;
mod machine;
mod manifests;
mod on_path;
mod place;
mod ports;
mod previous_release;
mod python;
mod release;
mod said;
mod say;
mod setup;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{failure::Failure, interrupt::Interrupt, place::Place};

/// The project's own chores
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Find what the demo and the tests need, and install what is missing with apt-get
    Setup,
    /// Tell the whole story under load: releases, a bad release, a rollback; ends by itself
    Demo(demo::Options),
    /// Start an environment with release 1.0.0 at 127.0.0.1:8080 and leave it running
    Up,
    /// End what `up` started
    Down,
    /// Prove what can be proven of the Terraform code without an account
    TestInfrastructure,
    /// Hold the dependencies against deny.toml, when cargo-deny is there
    Deny,
    /// Hold the pipeline, Dockerfiles, Compose, Kubernetes, monitoring files and runbooks against what will read them
    CheckManifests,
    /// Build the release before this one from the history; the service's tests run it beside this one
    PreviousRelease(previous_release::Options),
    /// Build the container images, run them, and probe them
    VerifyContainers(containers::Options),
    /// Write the bills of materials of the images' programs
    Sbom,
    /// Ask one question over HTTP; `verify-containers` does it from inside a container's network
    #[command(hide = true)]
    Fetch(containers::Fetch),
    /// Measure deploys, and compare them with the script that teams write
    BenchDeploy(bench::Options),
    /// Measure how long users wait for changes of the schema, and compare with the forms that people write
    BenchDb(bench_db::Options),
    /// Measure what the service costs, and compare it with the same endpoints by others
    BenchApi(bench_api::Options),
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(failure) => {
            say::failure(&failure);
            failure.exit_code()
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, Failure> {
    let place = Place::find()?;
    let interrupt = Interrupt::listen()?;
    match &cli.chore {
        Chore::Setup => setup::everything(&interrupt).map(|()| ExitCode::SUCCESS),
        Chore::Demo(options) => demo::run(&place, &interrupt, *options),
        Chore::Up => up::up(&place, &interrupt).map(|()| ExitCode::SUCCESS),
        Chore::Down => up::down(&place, &interrupt).map(|()| ExitCode::SUCCESS),
        Chore::TestInfrastructure => infrastructure::run(&place, &interrupt).map(|()| ExitCode::SUCCESS),
        Chore::Deny => deny::run(&place, &interrupt).map(|()| ExitCode::SUCCESS),
        Chore::CheckManifests => manifests::run(&place, &interrupt).map(|()| ExitCode::SUCCESS),
        Chore::PreviousRelease(options) => {
            previous_release::run(&place, &interrupt, options).map(|()| ExitCode::SUCCESS)
        }
        Chore::VerifyContainers(options) => containers::verify(&place, &interrupt, options).map(|()| ExitCode::SUCCESS),
        Chore::Sbom => containers::bills_of_materials(&place, &interrupt).map(|()| ExitCode::SUCCESS),
        Chore::Fetch(question) => containers::fetch(question).map(|()| ExitCode::SUCCESS),
        Chore::BenchDb(options) => bench_db::run(&place, &interrupt, options).map(|()| ExitCode::SUCCESS),
        Chore::BenchApi(options) => bench_api::run(&place, &interrupt, options).map(|()| ExitCode::SUCCESS),
        Chore::BenchDeploy(options) => bench::run(&place, &interrupt, options).map(|()| ExitCode::SUCCESS),
    }
}

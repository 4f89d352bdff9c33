//! `make bench-deploy`: what a deploy costs, on this machine, next to the script that teams write.
//!
//! Benchmarks, not tests: figures are printed and written down, and only a failed or lost request makes it fail.

mod figures;
mod rehearsal;
mod script;
mod series;
mod timeline;
mod tool;

use std::fs;

use clap::Args;

use crate::{
    bench::figures::Figures,
    build_step,
    failure::Failure,
    interrupt::Interrupt,
    local::{Local, Tool},
    machine::Machine,
    place::Place,
    ports,
    release::Release,
    say, setup,
};

/// What to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Deploys in a row
    #[arg(long, value_name = "N", default_value_t = 20)]
    deploys: usize,
    /// Rollbacks during the bake
    #[arg(long, value_name = "N", default_value_t = 3)]
    rollbacks: usize,
    /// Requests a second meanwhile
    #[arg(long, value_name = "N", default_value_t = 500)]
    rate: u32,
    /// Also build the tool without the sandbox in the release profile, and say how large it is (takes minutes)
    #[arg(long)]
    with_release_build: bool,
}

/// Measures everything on one sandbox, in one run.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, options: &Options) -> Result<(), Failure> {
    let folder = place.results("bench");
    let path = folder.join("deploy.json");
    let minutes = (options.deploys + options.rollbacks + 6).div_ceil(2);
    say::line(format!(
        "Measures deploys under {} requests a second. It takes about {minutes} minutes, once all is built.",
        options.rate
    ));
    ports::must_be_free()?;

    say::act(
        "Set-up and build",
        "PostgreSQL from the system or apt, the programs, and the AWS CLI from PyPI for the comparison.",
    );
    setup::everything(interrupt)?;
    build_step::programs(place, interrupt)?;
    if options.with_release_build {
        build_step::release_tool(place, interrupt)?;
    }
    let aws_cli = script::AwsCli::install(place, &folder, interrupt)?;

    let local = Local::fresh(Tool::of_a_chore(place, &folder), interrupt)?;
    let tool = local.tool();
    let first = Release::good("bench-0");
    first.push(place, interrupt)?;
    tool.succeed(&["deploy", "local", "--image", first.name(), "--yes"], interrupt)?;

    let series = series::run(place, tool, &folder, options, interrupt)?;
    let comparison = rehearsal::compare(place, tool, &aws_cli, &folder, options.rate, interrupt)?;
    let figures = Figures {
        machine: Machine::here(),
        series,
        comparison,
        tool: tool::measure(place, options.with_release_build, interrupt)?,
    };
    drop(local);

    let text = serde_json::to_string_pretty(&figures).map_err(|cause| Failure::Json {
        path: path.clone(),
        cause,
    })?;
    fs::write(&path, text + "\n").map_err(|cause| Failure::Write {
        path: path.clone(),
        cause,
    })?;
    say::line(figures.table());
    say::line(format!(
        "\nThe figures are in {}, measured on {}.",
        path.display(),
        figures.machine
    ));
    figures.nothing_failed()
}

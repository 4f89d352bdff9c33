//! `make demo`: the whole story, told once, without questions, in a few minutes.

mod figures;
mod story;
mod verdict;

use std::{fs, process::ExitCode};

use clap::{Args, ValueEnum};

use crate::{
    build_step,
    containers::{Engine, Images},
    demo::figures::Figures,
    failure::Failure,
    interrupt::Interrupt,
    machine::Machine,
    place::Place,
    ports, say, setup,
};

/// What tasks and their images are in this telling.
#[derive(Debug)]
enum Staging {
    /// Processes, from images that the sandbox's own tool packs.
    Processes,
    /// Containers of an engine that ends with the story, from images as CI builds them.
    Containers(Box<Workshop>),
}

/// What containers need.
#[derive(Debug)]
struct Workshop {
    images: Images,
    engine: Engine,
}

/// How to tell it.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Options {
    /// What a task is on this machine
    #[arg(long, value_enum, default_value = "process")]
    runtime: Runtime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Runtime {
    /// A process; nothing needs to be installed
    Process,
    /// A container of the image that CI would build; needs root, buildah and Docker's engine
    Container,
}

/// Tells the story, says how it went, and fails if anything failed or was lost.
pub(crate) fn run(place: &Place, interrupt: &Interrupt, options: Options) -> Result<ExitCode, Failure> {
    let folder = place.results("demo");
    let path = folder.join("report.json");
    if path.exists() {
        fs::remove_file(&path).map_err(|cause| Failure::Write {
            path: path.clone(),
            cause,
        })?;
    }
    say::line(
        "A service moves from release to release while users are on it. It takes about two minutes, once all is built.",
    );
    ports::must_be_free()?;

    say::act(
        "Set-up and build",
        "PostgreSQL from the system or apt, then four programs. The first build takes some minutes.",
    );
    setup::database(interrupt)?;
    build_step::programs(place, interrupt)?;
    let staging = match options.runtime {
        Runtime::Process => Staging::Processes,
        Runtime::Container => {
            setup::containers(setup::Consent::Missing, interrupt)?;
            Staging::Containers(Box::new(Workshop {
                images: Images::prepare(place, &folder, interrupt)?,
                engine: Engine::start(&folder, interrupt)?,
            }))
        }
    };

    let told = story::tell(place, &folder, &staging, interrupt)?;
    let figures = Figures::of(&told, Machine::here())?;
    let text = serde_json::to_string_pretty(&figures).map_err(|cause| Failure::Json {
        path: path.clone(),
        cause,
    })?;
    fs::write(&path, text + "\n").map_err(|cause| Failure::Write {
        path: path.clone(),
        cause,
    })?;

    let verdict = verdict::of(&figures, &told.load);
    say::line(verdict.table());
    say::line(format!(
        "\nThe figures are in {}, measured on {}.",
        path.display(),
        figures.machine
    ));
    Ok(if verdict.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

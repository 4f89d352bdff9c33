//! `make verify-containers`: the images are built, run and probed for real, without a registry.
//!
//! Owns what an image of ours promises (README.md in infrastructure/docker) and holds the built ones to it. The engine, the
//! database and the containers are this chore's own and end with it.

mod buildah;
mod database;
mod engine;
mod image;
mod inside;
mod promises;
mod releases;
mod sbom;
mod static_build;

use std::{fs, path::Path};

use clap::Args;

use crate::{failure::Failure, interrupt::Interrupt, place::Place, say, setup};

use self::{database::Database, image::Image};

pub(crate) use self::{
    engine::Engine,
    inside::{Fetch, fetch},
    releases::Images,
};

/// How to verify.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Install the builder and the engine with apt-get if they are missing
    #[arg(long)]
    install: bool,
}

/// Builds both images twice, and runs them.
pub(crate) fn verify(place: &Place, interrupt: &Interrupt, options: &Options) -> Result<(), Failure> {
    say::line(
        "Builds the images of the service and of tt-ops, runs them, and asks whether they are what they promise.",
    );
    let consent = if options.install {
        setup::Consent::Given
    } else {
        setup::Consent::Missing
    };
    setup::containers(consent, interrupt)?;
    let folder = place.results("containers");
    fs::create_dir_all(&folder).map_err(|cause| Failure::Write {
        path: folder.clone(),
        cause,
    })?;

    say::act(
        "Programs",
        "Static ones, in the profile of the demo: the first build takes some minutes.",
    );
    let context = static_build::context(place, &folder, interrupt)?;
    bills(place, &folder, interrupt)?;

    say::act(
        "Images",
        "Each is built twice from nothing, by buildah; both must be the same.",
    );
    let service = Image::build_twice(place, "task-tracker", &context, &folder, interrupt)?;
    let tool = Image::build_twice(place, "tt-ops", &context, &folder, interrupt)?;

    say::act(
        "Containers",
        "Not root, nothing to write to, no capabilities, and no network but their own loopback.",
    );
    let engine = Engine::start(&folder, interrupt)?;
    for image in [&service, &tool] {
        engine.load(image, interrupt)?;
    }
    let database = Database::start(interrupt)?;
    promises::of_every_image(&engine, &[&service, &tool], interrupt)?;
    promises::of_the_service(place, &engine, &service, &database, interrupt)?;
    promises::of_the_tool(place, &engine, &tool, interrupt)?;
    say::line(
        "\nThe images are what they promise. They are gone with this chore's engine; CI builds the same from the Dockerfile.",
    );
    Ok(())
}

/// What the programs of the images are made of, in `target/sbom`. Nothing is built for it, so CI can ask before it builds.
pub(crate) fn bills_of_materials(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let folder = place.results("sbom");
    fs::create_dir_all(&folder).map_err(|cause| Failure::Write {
        path: folder.clone(),
        cause,
    })?;
    bills(place, &folder, interrupt)
}

fn bills(place: &Place, folder: &Path, interrupt: &Interrupt) -> Result<(), Failure> {
    for package in image::TARGETS {
        let file = sbom::write(place, package, folder, interrupt)?;
        say::line(format!("ok       bill of materials of {package}: {}", file.display()));
    }
    Ok(())
}

//! Releases as CI builds them: by buildah, from the Dockerfile, pushed to the registry that ECS pulls from.

use std::path::{Path, PathBuf};

use crate::{failure::Failure, interrupt::Interrupt, place::Place, ports, say};

use super::{buildah::Buildah, static_build};

const TARGET: &str = "task-tracker";

/// What images of releases are made of.
#[derive(Debug)]
pub(crate) struct Images {
    buildah: Buildah,
    good: PathBuf,
    bad: PathBuf,
}

impl Images {
    /// Builds the service and its really bad release, statically.
    pub(crate) fn prepare(place: &Place, folder: &Path, interrupt: &Interrupt) -> Result<Self, Failure> {
        let (good, bad) = static_build::releases(place, folder, interrupt)?;
        Ok(Self {
            buildah: Buildah::with_storage(place, folder.join("storage")),
            good,
            bad,
        })
    }

    pub(crate) fn push_good(&self, release: &str, interrupt: &Interrupt) -> Result<(), Failure> {
        self.push(&self.good, release, interrupt)
    }

    pub(crate) fn push_bad(&self, release: &str, interrupt: &Interrupt) -> Result<(), Failure> {
        self.push(&self.bad, release, interrupt)
    }

    fn push(&self, context: &Path, release: &str, interrupt: &Interrupt) -> Result<(), Failure> {
        let image = format!("{}/{TARGET}:{release}", ports::SANDBOX);
        say::line(format!("  $ buildah build … && buildah push … {image}"));
        self.buildah.build(TARGET, context, release, interrupt)?;
        // The sandbox's registry speaks plain HTTP, on this machine's loopback.
        let to = format!("docker://{image}");
        self.buildah
            .push(TARGET, release, &to, &["--tls-verify=false"], interrupt)
    }
}

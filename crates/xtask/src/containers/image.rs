//! The images under verification: built twice, compared, and kept as archives that an engine loads.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{failure::Failure, interrupt::Interrupt, place::Place, say};

use super::buildah::Buildah;

/// The Dockerfile's targets.
pub(super) const TARGETS: [&str; 2] = ["task-tracker", "tt-ops"];
/// Not a release: these images end with the chore.
const VERSION: &str = "verify";

/// A built image.
#[derive(Debug)]
pub(super) struct Image {
    /// What it is called in this chore's engine.
    pub(super) name: String,
    /// For `docker load`.
    pub(super) archive: PathBuf,
    /// The program in it.
    pub(super) program: String,
}

impl Image {
    /// Builds it from nothing, and again from nothing; fails unless both have one digest.
    pub(super) fn build_twice(
        place: &Place,
        target: &str,
        context: &Path,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let image = Self {
            name: format!("{target}:{VERSION}"),
            archive: folder.join(format!("{target}.tar")),
            program: format!("/{target}"),
        };
        let first = image.build(place, target, context, folder, interrupt)?;
        let second = image.build(place, target, context, folder, interrupt)?;
        if first != second {
            return Err(Failure::Check(format!(
                "{target} is not reproducible: {first} and then {second}"
            )));
        }
        say::line(format!("ok       {target} twice: {first}"));
        Ok(image)
    }

    /// Its digest as a registry would have it.
    fn build(
        &self,
        place: &Place,
        target: &str,
        context: &Path,
        folder: &Path,
        interrupt: &Interrupt,
    ) -> Result<String, Failure> {
        // A storage for each time: nothing of the first can be in the second.
        let buildah = Buildah::with_storage(place, folder.join("storage"));
        buildah.build(target, context, VERSION, interrupt)?;
        let (digest, copy) = (folder.join("digest"), folder.join("pushed"));
        remove(&copy)?;
        remove(&self.archive)?;
        let digest_option = format!("--digestfile={}", digest.display());
        let to = format!("dir:{}", copy.display());
        buildah.push(target, VERSION, &to, &[&digest_option], interrupt)?;
        let to = format!("docker-archive:{}:{}", self.archive.display(), self.name);
        buildah.push(target, VERSION, &to, &[], interrupt)?;
        remove(&copy)?;
        match fs::read_to_string(&digest) {
            Ok(text) => Ok(text.trim().to_owned()),
            Err(cause) => Err(Failure::Read { path: digest, cause }),
        }
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    let removed = if path.is_dir() {
        fs::remove_dir_all(path)
    } else if path.exists() {
        fs::remove_file(path)
    } else {
        Ok(())
    };
    removed.map_err(|cause| Failure::Write {
        path: path.to_owned(),
        cause,
    })
}

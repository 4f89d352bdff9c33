//! Where things are: the repository, the built programs, the folders a chore may write to.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use crate::failure::Failure;

/// The profile of the programs that the demo runs (root `Cargo.toml` says why it has one of its own).
pub(crate) const PROFILE: &str = "demo";

/// The repository and cargo's target folder.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    /// From what cargo tells a program that it runs, and from where it put that program.
    pub(crate) fn find() -> Result<Self, Failure> {
        let program = env::current_exe().map_err(Failure::Place)?;
        let target = program.ancestors().nth(2).unwrap_or(&program).to_owned();
        let manifest =
            env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = manifest.ancestors().nth(2).unwrap_or(&manifest).to_owned();
        Ok(Self { root, target })
    }

    /// The repository.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Cargo's target folder.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// A program that [`crate::build_step`] built.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join(PROFILE).join(name)
    }

    /// An example of that profile: a measurement that belongs to the crate that it measures.
    pub(crate) fn example(&self, name: &str) -> PathBuf {
        self.target.join(PROFILE).join("examples").join(name)
    }

    /// A program of the release profile.
    pub(crate) fn release_program(&self, name: &str) -> PathBuf {
        self.target.join("release").join(name)
    }

    /// What a chore leaves behind lies in the repository's own `target`, wherever cargo builds.
    pub(crate) fn results(&self, chore: &str) -> PathBuf {
        self.root.join("target").join(chore)
    }
}

/// What a file says.
pub(crate) fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|cause| Failure::Read {
        path: path.to_owned(),
        cause,
    })
}

//! A copy of the Terraform code under `target`, with a state of its own: the working copy stays as it is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::{failure::Failure, place::Place};

use super::ENVIRONMENTS;

/// In the real roots the backend is a bucket; an override is Terraform's own way of saying otherwise.
const LOCAL_BACKEND: &str = "terraform {\n  backend \"local\" {}\n}\n";

/// The copy.
pub(super) struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Copies afresh: what an earlier run left behind would be part of the next one's answer.
    pub(super) fn lay_out(place: &Place) -> Result<Self, Failure> {
        let root = place.results("terraform").join("tree");
        let from = place.root().join("infrastructure").join("terraform");
        if root.exists() {
            fs::remove_dir_all(&root).map_err(|cause| Failure::Write {
                path: root.clone(),
                cause,
            })?;
        }
        for part in ["modules", "bootstrap", "staging", "production", "offline/broken"] {
            copy(&from.join(part), &root.join(part)).map_err(|cause| Failure::Read {
                path: from.join(part),
                cause,
            })?;
        }
        for environment in ENVIRONMENTS {
            let path = root.join(environment).join("backend_override.tf");
            fs::write(&path, LOCAL_BACKEND).map_err(|cause| Failure::Write { path, cause })?;
        }
        Ok(Self { root })
    }

    /// A copy of one environment with the modules it uses, state included, that can be changed while others use this one.
    pub(super) fn beside(tree: &Self, environment: &str) -> Result<Self, Failure> {
        let root = tree.root.with_file_name(format!("{environment}-alone"));
        let cannot = |cause| Failure::Write {
            path: root.clone(),
            cause,
        };
        if root.exists() {
            fs::remove_dir_all(&root).map_err(cannot)?;
        }
        for part in ["modules", environment] {
            copy(&tree.folder(part), &root.join(part)).map_err(cannot)?;
        }
        let state = Path::new(environment).join("terraform.tfstate");
        fs::copy(tree.root.join(&state), root.join(&state)).map_err(cannot)?;
        Ok(Self { root })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn folder(&self, part: &str) -> PathBuf {
        self.root.join(part)
    }

    /// The modules with tests of their own, in order.
    pub(super) fn tested_modules(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.root.join("modules"))
            .into_iter()
            .flatten()
            .flatten()
            .filter(|module| module.path().join("tests").is_dir())
            .filter_map(|module| module.file_name().into_string().ok())
            .collect();
        names.sort();
        names
    }

    /// The same with other text in one of its files, for as long as `work` takes.
    pub(super) fn with<T>(
        &self,
        part: &str,
        change: impl FnOnce(&str) -> String,
        work: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let path = self.folder(part);
        let before = fs::read_to_string(&path).map_err(|cause| Failure::Read {
            path: path.clone(),
            cause,
        })?;
        let write = |text: &str| {
            fs::write(&path, text).map_err(|cause| Failure::Write {
                path: path.clone(),
                cause,
            })
        };
        write(&change(&before))?;
        let outcome = work();
        write(&before)?;
        outcome
    }
}

/// Without what Terraform itself puts beside the code, should somebody have run it there.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        let left_out = name.to_string_lossy().starts_with(".terraform") || name.to_string_lossy().contains("tfstate");
        if left_out {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to.join(name))?;
        } else {
            fs::copy(entry.path(), to.join(name))?;
        }
    }
    Ok(())
}

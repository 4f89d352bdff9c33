//! Where the files of instances and of their backups are, and how they go.

use std::path::{Path, PathBuf};

use super::Rds;
use super::instance::Instance;

impl Rds {
    /// Named by the sandbox, never by a client.
    pub(super) fn files(&self, instance: &Instance) -> PathBuf {
        self.folder.join(&instance.resource_id)
    }

    /// The folder of a base backup.
    pub(super) fn base_folder(&self, name: &str) -> PathBuf {
        self.bases().join(name)
    }

    /// The folder of the saved log of an instance.
    pub(super) fn log_folder(&self, resource_id: &str) -> PathBuf {
        self.logs().join(resource_id)
    }

    pub(super) fn bases(&self) -> PathBuf {
        self.folder.join("snapshots")
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("wal")
    }
}

pub(super) fn remove(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(folder = %folder.display(), %cause, "files of a deleted database instance stay on disk");
        }
        Ok(()) | Err(_) => {}
    }
}

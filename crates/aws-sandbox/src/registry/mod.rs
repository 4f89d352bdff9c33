//! The image registry: OCI distribution on the API's port under `/v2/`, image layouts on disk, and what turns images into folders.
//!
//! Owns contents and their digests: whatever is stored was checked against the digest it was promised under. Asks nobody for
//! credentials. Names and layers are hostile input; none of them leaves its folder.

mod api;
mod digest;
mod error;
mod layer;
mod layout;
mod manifest;
mod name;
mod pack;
mod push;
mod unpack;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::Response;
use http_body_util::combinators::BoxBody;

pub use digest::{Digest, NotADigest};
pub use pack::{PackError, PackedImage, Program, pack};
pub use push::{Credentials, Destination, PushError, push};

use layout::Layout;
use name::{Reference, Repository};

/// What the registry answers: a short text, or a content as it is read from disk.
pub(crate) type Answer = Response<BoxBody<Bytes, io::Error>>;

/// All repositories of the sandbox.
#[derive(Debug)]
pub(crate) struct Registry {
    folder: PathBuf,
    /// Held while an index changes, which is read, changed and replaced.
    listing: Mutex<()>,
    /// Held while an image is unpacked, so that each is unpacked once.
    unpacking: tokio::sync::Mutex<()>,
}

impl Registry {
    /// The registry in `state_dir/registry`. Uploads that an earlier sandbox left unfinished are dropped.
    pub(crate) fn open(state_dir: &Path) -> io::Result<Arc<Self>> {
        let folder = state_dir.join("registry");
        fs::create_dir_all(&folder)?;
        let registry = Self {
            folder,
            listing: Mutex::default(),
            unpacking: tokio::sync::Mutex::default(),
        };
        for repository in registry.repositories()? {
            let uploads = registry.layout(&repository).uploads();
            if uploads.exists() {
                fs::remove_dir_all(&uploads)?;
            }
            fs::create_dir_all(&uploads)?;
        }
        Ok(Arc::new(registry))
    }

    /// The digest behind a tag, or a digest itself when the repository has it.
    pub(crate) fn resolve(&self, repository: &str, reference: &str) -> Option<Digest> {
        let repository: Repository = repository.parse().ok()?;
        let reference: Reference = reference.parse().ok()?;
        Some(self.layout(&repository).find(&reference).ok()??.digest)
    }

    fn layout(&self, repository: &Repository) -> Layout {
        Layout::of(&self.folder, repository)
    }

    fn repositories(&self) -> io::Result<Vec<Repository>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            found.extend(entry?.file_name().to_str().and_then(Repository::of_folder));
        }
        found.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        Ok(found)
    }

    fn listing<R>(&self, change: impl FnOnce() -> R) -> R {
        let _held = self.listing.lock().unwrap_or_else(PoisonError::into_inner);
        change()
    }
}

#[cfg(test)]
mod tests;

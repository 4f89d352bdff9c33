//! What is to be deployed.

use std::fmt;

use serde::{Deserialize, Serialize};
use tt_environment::{ImageDigest, ReleaseName, Repository};

/// A release: a name that people use and an image that cannot change under it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// What people call it, e.g. `1.4.0`.
    pub name: ReleaseName,
    /// The image, pinned.
    pub image: PinnedImage,
    /// Whether the caller gave a digest, or a tag that was resolved to one.
    pub given_by: GivenBy,
    /// The commit it was built from, when known.
    pub commit: Option<String>,
}

/// How the image was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GivenBy {
    /// By digest: what was built is what runs.
    Digest,
    /// By tag, resolved through the registry a moment ago.
    Tag(String),
}

/// An image reference that names content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedImage {
    /// Registry host and repository.
    pub repository: Repository,
    /// The manifest's digest.
    pub digest: ImageDigest,
}

impl fmt::Display for PinnedImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}

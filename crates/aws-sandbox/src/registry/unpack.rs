//! Images as folders that processes run from: pulled by reference, unpacked once per digest.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::Registry;
use super::digest::Digest;
use super::layer::{self, LayerError};
use super::layout::Layout;
use super::manifest::{Configuration, Descriptor, Document, Execution, Manifest};
use super::name::{BadName, Reference, Repository};

/// What an image says about itself.
#[derive(Debug, Clone)]
pub(crate) struct ImageDescription {
    pub(crate) entrypoint: Vec<String>,
    pub(crate) cmd: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    /// `/` unless the image says otherwise.
    pub(crate) working_dir: PathBuf,
    /// Whom it wants to run as. Processes do not ask: the sandbox has one user for all of them.
    pub(crate) user: Option<String>,
    /// What the reference stands for: for an image of several platforms their common one.
    pub(crate) digest: Digest,
}

/// An image that cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PullError {
    #[error("the image reference is malformed")]
    Name(#[source] Malformed),
    #[error("the image {repository}:{reference} is not in the registry: not found")]
    NotFound { repository: String, reference: String },
    #[error("the image {0} has no variant for linux/{architecture}", architecture = super::manifest::architecture())]
    NoPlatform(Digest),
    #[error("could not read {0} from the registry")]
    Read(Digest, #[source] io::Error),
    #[error("could not read the index of the repository {0}")]
    Index(String, #[source] io::Error),
    #[error("could not make sense of {0}")]
    Malformed(Digest, #[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not unpack the layer {0}")]
    Layer(Digest, #[source] LayerError),
    #[error("could not write the unpacked image to {}", .0.display())]
    Write(PathBuf, #[source] io::Error),
}

/// Text that names no image.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(String);

impl From<BadName> for PullError {
    fn from(cause: BadName) -> Self {
        Self::Name(Malformed(cause.to_string()))
    }
}

impl Registry {
    /// What an image says about itself, without unpacking it.
    pub(crate) fn describe(&self, repository: &str, reference: &str) -> Result<ImageDescription, PullError> {
        Ok(self.find(repository, reference)?.description())
    }

    fn find(&self, repository: &str, reference: &str) -> Result<Image, PullError> {
        let repository: Repository = repository.parse()?;
        let reference: Reference = reference.parse()?;
        Image::find(self.layout(&repository), &repository, &reference)
    }

    /// The image as a folder under `into`, named by its digest; unpacked when it is not there yet.
    pub(crate) async fn unpack(&self, repository: &str, reference: &str, into: &Path) -> Result<PathBuf, PullError> {
        let image = self.find(repository, reference)?;
        let rootfs = into.join(image.manifest_digest.hex());
        {
            let _once = self.unpacking.lock().await;
            if !rootfs.is_dir() {
                let (image, to) = (image.clone(), rootfs.clone());
                let unpacking = tokio::task::spawn_blocking(move || image.unpack(&to));
                unpacking
                    .await
                    .map_err(|cause| PullError::Write(rootfs.clone(), io::Error::other(cause)))??;
            }
        }
        Ok(rootfs)
    }
}

/// An image as the registry has it.
#[derive(Debug, Clone)]
struct Image {
    layout: Layout,
    digest: Digest,
    manifest_digest: Digest,
    layers: Vec<Descriptor>,
    execution: Execution,
}

impl Image {
    fn find(layout: Layout, repository: &Repository, reference: &Reference) -> Result<Self, PullError> {
        let found = layout
            .find(reference)
            .map_err(|cause| PullError::Index(repository.to_string(), cause))?
            .ok_or_else(|| PullError::NotFound {
                repository: repository.to_string(),
                reference: reference.to_string(),
            })?;
        let (manifest_digest, manifest) = image_manifest(&layout, &found)?;
        let read = |descriptor: &Descriptor| {
            layout
                .read(&descriptor.digest)
                .map_err(|cause| PullError::Read(descriptor.digest.clone(), cause))
        };
        let configuration: Configuration = serde_json::from_slice(&read(&manifest.config)?)
            .map_err(|cause| PullError::Malformed(manifest.config.digest.clone(), cause.into()))?;
        Ok(Self {
            layout,
            digest: found.digest,
            manifest_digest,
            layers: manifest.layers,
            execution: configuration.config,
        })
    }

    fn description(self) -> ImageDescription {
        let Execution {
            entrypoint,
            cmd,
            env,
            working_dir,
            user,
            ..
        } = self.execution;
        ImageDescription {
            entrypoint,
            cmd,
            env: env.iter().map(|pair| variable(pair)).collect(),
            working_dir: PathBuf::from(
                working_dir
                    .filter(|path| !path.is_empty())
                    .unwrap_or_else(|| String::from("/")),
            ),
            user: user.filter(|user| !user.is_empty()),
            digest: self.digest,
        }
    }

    /// Applies the layers in a folder beside and renames it, so a folder under the final name is complete.
    fn unpack(&self, to: &Path) -> Result<(), PullError> {
        let write = |cause| PullError::Write(to.to_owned(), cause);
        let unfinished = to.with_extension("unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(write)?;
        }
        fs::create_dir_all(&unfinished).map_err(write)?;
        // Tasks run as another user than the sandbox.
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755)).map_err(write)?;
        for layer in &self.layers {
            let digest = &layer.digest;
            let file =
                fs::File::open(self.layout.blob(digest)).map_err(|cause| PullError::Read(digest.clone(), cause))?;
            layer::apply(file, &unfinished).map_err(|cause| PullError::Layer(digest.clone(), cause))?;
        }
        fs::rename(&unfinished, to).map_err(write)
    }
}

/// The manifest of one image: the one found, or of several platforms this machine's.
fn image_manifest(layout: &Layout, found: &Descriptor) -> Result<(Digest, Manifest), PullError> {
    match document(layout, found)? {
        Document::Image(manifest) => Ok((found.digest.clone(), manifest)),
        Document::Index(index) => {
            let none = || PullError::NoPlatform(found.digest.clone());
            let chosen = index.for_this_machine().ok_or_else(none)?;
            match document(layout, chosen)? {
                Document::Image(manifest) => Ok((chosen.digest.clone(), manifest)),
                Document::Index(_) => Err(none()),
            }
        }
    }
}

fn document(layout: &Layout, of: &Descriptor) -> Result<Document, PullError> {
    let bytes = layout
        .read(&of.digest)
        .map_err(|cause| PullError::Read(of.digest.clone(), cause))?;
    Document::parse(&of.media_type, &bytes).map_err(|cause| PullError::Malformed(of.digest.clone(), cause.into()))
}

/// `NAME=value`; a name alone has no value.
fn variable(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    (name.to_owned(), value.to_owned())
}

//! A program as an image of one layer. Reproducible: the same program and settings give the same digest, on any day and machine
//! of one architecture.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::digest::Digest;
use super::manifest::{
    Configuration, Descriptor, Execution, IMAGE_CONFIG, IMAGE_MANIFEST, LAYER, Manifest, RootFs, architecture,
};

/// What goes into an image.
#[derive(Debug, Clone, Default)]
pub struct Program {
    /// The executable; it becomes `/app/<its name>` and the image's entry point.
    pub file: PathBuf,
    /// Arguments it gets when a task definition gives no command.
    pub arguments: Vec<String>,
    /// Environment variables of the image.
    pub environment: BTreeMap<String, String>,
    /// Labels of the image, e.g. `org.opencontainers.image.revision`.
    pub labels: BTreeMap<String, String>,
    /// TCP ports it listens on.
    pub ports: Vec<u16>,
}

/// An image in memory, ready to be pushed.
#[derive(Debug, Clone)]
pub struct PackedImage {
    /// An uncompressed tar archive: no compressor's version is part of the digest, and loopback is fast.
    pub(super) layer: Bytes,
    pub(super) layer_digest: Digest,
    pub(super) config: Bytes,
    pub(super) config_digest: Digest,
    pub(super) manifest: Bytes,
    digest: Digest,
}

/// A program that cannot be packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// The file is absent or unreadable.
    #[error("could not read the program {}", path.display())]
    Read {
        /// The program's file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The path does not end in a name of plain text.
    #[error("the program {} has no file name an image can have", .0.display())]
    Name(PathBuf),
    /// A document of the image could not be encoded.
    #[error("could not write the image's documents")]
    Encode(#[source] serde_json::Error),
}

impl PackedImage {
    /// The digest of the manifest, by which the image can be pinned.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Packs a program.
pub fn pack(program: &Program) -> Result<PackedImage, PackError> {
    let path = &program.file;
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| PackError::Name(path.clone()))?;
    let layer = layer(path, name).map_err(|cause| PackError::Read {
        path: path.clone(),
        cause,
    })?;
    let layer = (Digest::of(&layer), Bytes::from(layer));
    let config = serde_json::to_vec(&configuration(program, name, &layer.0)).map_err(PackError::Encode)?;
    let config = (Digest::of(&config), Bytes::from(config));
    let manifest = Manifest {
        schema_version: 2,
        media_type: Some(IMAGE_MANIFEST.to_owned()),
        config: descriptor(IMAGE_CONFIG, &config),
        layers: vec![descriptor(LAYER, &layer)],
    };
    let manifest = Bytes::from(serde_json::to_vec(&manifest).map_err(PackError::Encode)?);
    Ok(PackedImage {
        digest: Digest::of(&manifest),
        layer: layer.1,
        layer_digest: layer.0,
        config: config.1,
        config_digest: config.0,
        manifest,
    })
}

/// `app/` and the program in it, owned by root, of the beginning of time.
fn layer(program: &Path, name: &str) -> io::Result<Vec<u8>> {
    let mut file = fs::File::open(program)?;
    let mut archive = tar::Builder::new(Vec::new());
    let header = |kind, size| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(size);
        header
    };
    archive.append_data(&mut header(tar::EntryType::Directory, 0), "app/", io::empty())?;
    let size = file.metadata()?.len();
    archive.append_data(
        &mut header(tar::EntryType::Regular, size),
        Path::new("app").join(name),
        &mut file,
    )?;
    archive.into_inner()
}

fn configuration(program: &Program, name: &str, layer: &Digest) -> Configuration {
    Configuration {
        architecture: architecture().to_owned(),
        os: String::from("linux"),
        config: Execution {
            user: None,
            exposed_ports: program
                .ports
                .iter()
                .map(|port| (format!("{port}/tcp"), serde_json::json!({})))
                .collect(),
            env: program
                .environment
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect(),
            entrypoint: vec![format!("/app/{name}")],
            cmd: program.arguments.clone(),
            working_dir: Some(String::from("/app")),
            labels: program.labels.clone(),
        },
        rootfs: RootFs {
            kind: String::from("layers"),
            diff_ids: vec![layer.to_string()],
        },
    }
}

fn descriptor(media_type: &str, (digest, content): &(Digest, Bytes)) -> Descriptor {
    Descriptor {
        media_type: media_type.to_owned(),
        digest: digest.clone(),
        size: content.len() as u64,
        annotations: BTreeMap::new(),
        platform: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_input_gives_the_same_digest_and_another_one_another() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve");
        fs::write(&file, "program").unwrap();
        let labelled = |value: &str| {
            let labels = BTreeMap::from([(String::from("release"), value.to_owned())]);
            pack(&Program {
                file: file.clone(),
                labels,
                ..Program::default()
            })
            .unwrap()
            .digest()
            .clone()
        };
        let first = labelled("1.0.0");
        // Written again, so with another time and permissions.
        fs::remove_file(&file).unwrap();
        fs::write(&file, "program").unwrap();
        assert_eq!(labelled("1.0.0"), first);
        assert_ne!(labelled("1.1.0"), first);
        fs::write(&file, "another").unwrap();
        assert_ne!(labelled("1.0.0"), first);
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = pack(&Program {
            file: PathBuf::from("/nowhere/serve"),
            ..Program::default()
        })
        .unwrap_err();
        assert_eq!(error.to_string(), "could not read the program /nowhere/serve");
    }
}

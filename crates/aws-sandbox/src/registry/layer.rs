//! One layer applied to a folder (OCI Image Format Specification, "Image Layer Filesystem Changeset").
//!
//! Everything in a layer is hostile: names with `..`, links that lead elsewhere, devices. Nothing is ever written, linked or
//! removed outside of the folder, because each parent folder is followed inside of it first.

use std::collections::HashSet;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, Entry};

use crate::runtime::inside;

/// A layer that cannot be applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LayerError {
    #[error("the layer is compressed with zstd, which the sandbox does not read; push it with gzip or uncompressed")]
    Zstd,
    #[error("the layer has the path `{}`, which leads out of the image", .0.display())]
    Escape(PathBuf),
    #[error("could not read the layer")]
    Read(#[source] io::Error),
    #[error("could not write `{}` of the layer", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

const OPAQUE: &str = ".wh..wh..opq";
const WHITEOUT: &str = ".wh.";

/// Applies a tar archive, gzipped or not.
pub(super) fn apply(layer: impl Read, rootfs: &Path) -> Result<(), LayerError> {
    let mut layer = BufReader::new(layer);
    let start = layer.fill_buf().map_err(LayerError::Read)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        return extract(MultiGzDecoder::new(layer), rootfs);
    }
    if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return Err(LayerError::Zstd);
    }
    extract(layer, rootfs)
}

fn extract(archive: impl Read, rootfs: &Path) -> Result<(), LayerError> {
    let mut archive = Archive::new(archive);
    // An opaque folder hides what lower layers put there, not what this one did.
    let mut own = HashSet::new();
    for entry in archive.entries().map_err(LayerError::Read)? {
        let mut entry = entry.map_err(LayerError::Read)?;
        let path = relative(&entry.path().map_err(LayerError::Read)?)?;
        let failed = |cause| LayerError::Write {
            path: path.clone(),
            cause,
        };
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            continue;
        };
        let parent = inside(rootfs, parent).ok_or_else(|| LayerError::Escape(path.clone()))?;
        fs::create_dir_all(&parent).map_err(failed)?;
        match name.to_str() {
            Some(OPAQUE) => clear(&parent, &own).map_err(failed)?,
            Some(hidden) if hidden.starts_with(WHITEOUT) => {
                remove(&parent.join(&hidden[WHITEOUT.len()..])).map_err(failed)?;
            }
            Some(_) | None => {
                let at = parent.join(name);
                write(&mut entry, rootfs, &at)?;
                own.extend(
                    at.ancestors()
                        .take_while(|ancestor| *ancestor != rootfs)
                        .map(Path::to_owned),
                );
            }
        }
    }
    Ok(())
}

/// The path without a leading slash; one that climbs is refused, not corrected.
fn relative(path: &Path) -> Result<PathBuf, LayerError> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(Ok(Path::new(name))),
            Component::RootDir | Component::CurDir => None,
            Component::ParentDir | Component::Prefix(_) => Some(Err(LayerError::Escape(path.to_owned()))),
        })
        .collect()
}

fn write<R: Read>(entry: &mut Entry<'_, R>, rootfs: &Path, at: &Path) -> Result<(), LayerError> {
    let failed = |cause| LayerError::Write {
        path: at.strip_prefix(rootfs).unwrap_or(at).to_owned(),
        cause,
    };
    let mode = readable(entry.header().mode().map_err(LayerError::Read)?);
    let kind = entry.header().entry_type();
    if kind.is_dir() {
        return folder(at, mode).map_err(failed);
    }
    if kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse() {
        return file(entry, at, mode).map_err(failed);
    }
    let Some(to) = entry.link_name().map_err(LayerError::Read)? else {
        // Devices and pipes have no place in a folder that a process only reads.
        return Ok(());
    };
    if kind.is_symlink() {
        return remove(at).and_then(|()| symlink(to, at)).map_err(failed);
    }
    if kind.is_hard_link() {
        let to = inside(rootfs, &relative(&to)?).ok_or_else(|| LayerError::Escape(to.into_owned()))?;
        return remove(at).and_then(|()| fs::hard_link(to, at)).map_err(failed);
    }
    Ok(())
}

fn folder(at: &Path, mode: u32) -> io::Result<()> {
    if !fs::symlink_metadata(at).is_ok_and(|existing| existing.is_dir()) {
        remove(at)?;
        fs::create_dir(at)?;
    }
    fs::set_permissions(at, fs::Permissions::from_mode(mode | 0o755))
}

fn file(content: &mut impl Read, at: &Path, mode: u32) -> io::Result<()> {
    remove(at)?;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(at)?;
    io::copy(content, &mut file)?;
    // Once more, past the process's own mask.
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// The permissions without set-id bits, and readable by the one user that plays all of the image's users.
fn readable(mode: u32) -> u32 {
    let executable = if mode & 0o111 == 0 { 0 } else { 0o111 };
    (mode & 0o777) | 0o444 | executable
}

/// Removes whatever is there, links themselves and not what they lead to.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
        Ok(existing) if existing.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    }
}

/// Empties a folder but for what is to stay.
fn clear(folder: &Path, stays: &HashSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if !stays.contains(&path) {
            remove(&path)?;
        } else if fs::symlink_metadata(&path)?.is_dir() {
            clear(&path, stays)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;

//! One repository on disk: an OCI image layout (OCI Image Format Specification, "OCI Image Layout"), so that `skopeo inspect oci:…`
//! and others read it as it is. Tags live in `index.json`, contents under `blobs/sha256/`, unfinished uploads beside them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::digest::Digest;
use super::manifest::{Descriptor, Index, REF_NAME};
use super::name::{Reference, Repository};

/// The folder of a repository. It may not exist yet.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    folder: PathBuf,
}

impl Layout {
    pub(super) fn of(root: &Path, repository: &Repository) -> Self {
        Self {
            folder: root.join(repository.folder()),
        }
    }

    pub(super) fn exists(&self) -> bool {
        self.folder.join("index.json").is_file()
    }

    /// Makes an empty repository, unless it is there.
    pub(super) fn create(&self) -> io::Result<()> {
        if self.exists() {
            return Ok(());
        }
        fs::create_dir_all(self.folder.join("blobs/sha256"))?;
        fs::create_dir_all(self.uploads())?;
        replace(&self.folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        self.write_index(&Index::empty())
    }

    pub(super) fn blob(&self, digest: &Digest) -> PathBuf {
        self.folder.join("blobs/sha256").join(digest.hex())
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.folder.join("uploads")
    }

    /// The content with this digest.
    pub(super) fn read(&self, digest: &Digest) -> io::Result<Vec<u8>> {
        fs::read(self.blob(digest))
    }

    /// Keeps a small content.
    pub(super) fn write(&self, digest: &Digest, bytes: &[u8]) -> io::Result<()> {
        replace(&self.blob(digest), bytes)
    }

    /// The manifest a reference stands for; nothing when there is none, or no repository.
    pub(super) fn find(&self, reference: &Reference) -> io::Result<Option<Descriptor>> {
        if !self.exists() {
            return Ok(None);
        }
        let index = self.index()?;
        Ok(index.manifests.into_iter().find(|entry| match reference {
            Reference::Tag(tag) => entry.annotations.get(REF_NAME) == Some(tag),
            Reference::Digest(digest) => entry.digest == *digest,
        }))
    }

    pub(super) fn tags(&self) -> io::Result<Vec<String>> {
        let index = self.index()?;
        let mut tags: Vec<String> = index
            .manifests
            .into_iter()
            .filter_map(|mut entry| entry.annotations.remove(REF_NAME))
            .collect();
        tags.sort();
        Ok(tags)
    }

    /// Lists a manifest, under its digest and, if one is given, under a tag, which thereby moves.
    pub(super) fn list(&self, media_type: &str, digest: &Digest, size: u64, tag: Option<&str>) -> io::Result<()> {
        let mut index = self.index()?;
        let entry = |tag: Option<&str>| Descriptor {
            media_type: media_type.to_owned(),
            digest: digest.clone(),
            size,
            annotations: tag
                .map(|tag| (REF_NAME.to_owned(), tag.to_owned()))
                .into_iter()
                .collect(),
            platform: None,
        };
        match tag {
            Some(tag) => {
                release(&mut index, tag);
                index
                    .manifests
                    .retain(|other| other.digest != *digest || !other.annotations.is_empty());
                index.manifests.push(entry(Some(tag)));
            }
            None if index.manifests.iter().any(|other| other.digest == *digest) => {}
            None => index.manifests.push(entry(None)),
        }
        self.write_index(&index)
    }

    /// Forgets a tag, or a manifest with all its tags. Whether there was one.
    pub(super) fn forget(&self, reference: &Reference) -> io::Result<Option<()>> {
        if self.find(reference)?.is_none() {
            return Ok(None);
        }
        let mut index = self.index()?;
        match reference {
            Reference::Tag(tag) => release(&mut index, tag),
            Reference::Digest(digest) => index.manifests.retain(|entry| entry.digest != *digest),
        }
        self.write_index(&index).map(Some)
    }

    fn index(&self) -> io::Result<Index> {
        let text = fs::read(self.folder.join("index.json"))?;
        serde_json::from_slice(&text).map_err(io::Error::other)
    }

    fn write_index(&self, index: &Index) -> io::Result<()> {
        replace(&self.folder.join("index.json"), &serde_json::to_vec(index)?)
    }
}

/// Takes a tag from its manifest, which stays reachable by digest.
fn release(index: &mut Index, tag: &str) {
    let Some(at) = index
        .manifests
        .iter()
        .position(|entry| entry.annotations.get(REF_NAME).is_some_and(|known| known == tag))
    else {
        return;
    };
    let mut entry = index.manifests.remove(at);
    if !index.manifests.iter().any(|other| other.digest == entry.digest) {
        entry.annotations = BTreeMap::new();
        index.manifests.push(entry);
    }
}

/// Never half a file: whoever reads finds the old or the new one.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension(format!("{}.new", uuid::Uuid::new_v4()));
    fs::write(&fresh, bytes)
        .and_then(|()| fs::rename(&fresh, path))
        .inspect_err(|_| {
            drop(fs::remove_file(&fresh));
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_moves_and_the_old_manifest_stays_reachable_by_digest() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::of(root.path(), &"team/web".parse().unwrap());
        assert!(layout.find(&Reference::Tag(String::from("1"))).unwrap().is_none());
        layout.create().unwrap();
        let (old, new) = (Digest::of(b"old"), Digest::of(b"new"));
        layout.list("m", &old, 3, Some("1")).unwrap();
        layout.list("m", &old, 3, Some("stable")).unwrap();
        layout.list("m", &new, 3, None).unwrap();
        layout.list("m", &new, 3, Some("1")).unwrap();
        layout.list("m", &new, 3, Some("stable")).unwrap();
        assert_eq!(layout.tags().unwrap(), ["1", "stable"]);
        assert_eq!(
            layout.find(&Reference::Tag(String::from("1"))).unwrap().unwrap().digest,
            new
        );
        assert!(layout.find(&Reference::Digest(old.clone())).unwrap().is_some());
        assert_eq!(layout.index().unwrap().manifests.len(), 3);
        layout.forget(&Reference::Tag(String::from("1"))).unwrap().unwrap();
        assert_eq!(layout.tags().unwrap(), ["stable"]);
        layout.forget(&Reference::Digest(new.clone())).unwrap().unwrap();
        assert!(layout.find(&Reference::Digest(new.clone())).unwrap().is_none());
        assert!(layout.forget(&Reference::Digest(new)).unwrap().is_none());
        assert!(layout.find(&Reference::Digest(old)).unwrap().is_some());
    }
}

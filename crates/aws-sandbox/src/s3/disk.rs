//! How an object lies on disk: one file, a line of JSON that describes it and then its bytes, replaced atomically.
//!
//! File names are digests or numbers, never a name a client chose.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// The folder of one S3.
#[derive(Debug)]
pub(crate) struct Disk {
    root: PathBuf,
    sequence: AtomicU64,
}

/// A file that is written and not yet in its place. Removed when it never gets there.
#[derive(Debug)]
pub(crate) struct Draft {
    path: PathBuf,
}

impl Disk {
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let disk = Self {
            root: root.to_owned(),
            sequence: AtomicU64::new(0),
        };
        // Drafts of a killed run are nobody's.
        match fs::remove_dir_all(disk.drafts()) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(disk.drafts())?;
        fs::create_dir_all(disk.buckets())?;
        Ok(disk)
    }

    pub(crate) fn buckets(&self) -> PathBuf {
        self.root.join("buckets")
    }

    pub(crate) fn objects(&self, bucket: &str) -> PathBuf {
        self.buckets().join(bucket).join("objects")
    }

    pub(crate) fn object(&self, bucket: &str, key: &str) -> PathBuf {
        self.objects(bucket).join(hex::encode(Sha256::digest(key)))
    }

    pub(crate) fn uploads(&self, bucket: &str) -> PathBuf {
        self.buckets().join(bucket).join("uploads")
    }

    /// `id` was made by the store.
    pub(crate) fn upload(&self, bucket: &str, id: &str) -> PathBuf {
        self.uploads(bucket).join(id)
    }

    /// Writes a described file aside.
    pub(crate) fn draft(
        &self,
        description: &impl Serialize,
        data: impl IntoIterator<Item = io::Result<Bytes>>,
    ) -> io::Result<Draft> {
        let number = self.sequence.fetch_add(1, Ordering::Relaxed);
        let draft = Draft {
            path: self.drafts().join(number.to_string()),
        };
        let mut file = File::create(&draft.path)?;
        serde_json::to_writer(&mut file, description)?;
        file.write_all(b"\n")?;
        for piece in data {
            file.write_all(&piece?)?;
        }
        Ok(draft)
    }

    fn drafts(&self) -> PathBuf {
        self.root.join("drafts")
    }
}

impl Draft {
    /// Puts the file in its place, over whatever was there.
    pub(crate) fn publish(self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Published drafts are gone already, and a leftover is removed at the next start.
        fs::remove_file(&self.path).unwrap_or_default();
    }
}

/// The description at the head of a file, and the file positioned at its data.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<(T, File)> {
    let mut reader = BufReader::new(File::open(path)?);
    let mut head = Vec::new();
    let length = reader.read_until(b'\n', &mut head)?;
    let description = serde_json::from_slice(&head)?;
    let mut file = reader.into_inner();
    file.seek(SeekFrom::Start(length as u64))?;
    Ok((description, file))
}

/// `length` bytes of the data from `from` on.
pub(crate) fn slice(mut file: File, from: u64, length: u64) -> io::Result<Bytes> {
    file.seek_relative(i64::try_from(from).map_err(io::Error::other)?)?;
    let mut data = Vec::new();
    file.take(length).read_to_end(&mut data)?;
    if data.len() as u64 != length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    Ok(Bytes::from(data))
}

/// The files of a folder; none when it is not there.
pub(crate) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(cause),
    }
}

pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}

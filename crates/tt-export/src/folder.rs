//! A store in a folder. An object is written beside its name and renamed when it is whole.

use std::io;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use tokio::fs::{self, File};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::store::{Reading, Store, StoreError, Upload};

/// A folder on this machine.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder is made with the first object.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

/// A file that has not got its name yet.
#[derive(Debug)]
pub struct Unnamed {
    file: File,
    scratch: Scratch,
    name: PathBuf,
}

/// Removes what was never finished.
#[derive(Debug)]
struct Scratch(Option<PathBuf>);

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // It may never have been there.
            std::fs::remove_file(path).unwrap_or_default();
        }
    }
}

impl Store for Folder {
    type Upload = Unnamed;
    type Reading = File;

    async fn create(&self, name: &str) -> Result<Unnamed, StoreError> {
        let name = self.path.join(name);
        let mut scratch = name.clone().into_os_string();
        scratch.push(".unfinished");
        let scratch = PathBuf::from(scratch);
        fs::create_dir_all(scratch.parent().unwrap_or(Path::new(".")))
            .await
            .map_err(failed)?;
        let file = File::create(&scratch).await.map_err(failed)?;
        Ok(Unnamed {
            file,
            scratch: Scratch(Some(scratch)),
            name,
        })
    }

    async fn open(&self, name: &str) -> Result<File, StoreError> {
        File::open(self.path.join(name)).await.map_err(failed)
    }
}

impl Upload for Unnamed {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        self.file.write_all(&bytes).await.map_err(failed)
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        self.file.sync_all().await.map_err(failed)?;
        if let Some(scratch) = &self.scratch.0 {
            fs::rename(scratch, &self.name).await.map_err(failed)?;
        }
        self.scratch.0 = None;
        Ok(())
    }
}

impl Reading for File {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let mut buffer = BytesMut::with_capacity(256 * 1024);
        let read = self.read_buf(&mut buffer).await.map_err(failed)?;
        Ok((read > 0).then(|| buffer.freeze()))
    }
}

fn failed(cause: io::Error) -> StoreError {
    if cause.kind() == io::ErrorKind::NotFound {
        StoreError::Absent
    } else {
        StoreError::Failed(cause.into())
    }
}

//! Damaged exports are refused before anything is written, and one that fails half-way is none.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use tt_export::{ExportError, Folder, Reading, Store, StoreError, Upload, export, restore};

use super::cluster::database;
use super::{SMALL, exported};

type Spoil = fn(&Path);

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_export_is_refused_before_anything_is_written() {
    let source = database().await;
    source
        .run("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i")
        .await;
    let part = "data/00000-00000.copy.gz";
    let cases: [(&str, Spoil, &str); 7] = [
        (
            part,
            |path| fs::write(path, &fs::read(path).unwrap()[..100]).unwrap(),
            "was cut short",
        ),
        (part, |path| flip(path, 500), "was altered"),
        (
            part,
            |path| fs::write(path, [fs::read(path).unwrap(), vec![0]].concat()).unwrap(),
            "is longer than it was",
        ),
        (part, |path| fs::remove_file(path).unwrap(), "is missing"),
        ("after-data.sql.gz", |path| flip(path, 20), "was altered"),
        (
            "manifest.json",
            |path| fs::write(path, &fs::read(path).unwrap()[..200]).unwrap(),
            "is not the manifest",
        ),
        (
            "manifest.json",
            |path| fs::remove_file(path).unwrap(),
            "could not read `manifest.json`",
        ),
    ];
    for (name, spoil, words) in cases {
        let (target, folder) = (database().await, tempfile::tempdir().unwrap());
        exported(&source, &folder).await;
        spoil(&folder.path().join(name));
        let error = restore(&target.url(), &Folder::new(folder.path()), 2, drop)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(words), "{words}: {error}");
        let tables = target
            .ask("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
            .await;
        assert_eq!(tables, "0", "{words}");
    }
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// A store whose disk is full after so many writes.
#[derive(Clone)]
struct Filling {
    folder: Folder,
    left: Arc<AtomicI64>,
}

struct Writing(<Folder as Store>::Upload, Arc<AtomicI64>);

impl Store for Filling {
    type Upload = Writing;
    type Reading = <Folder as Store>::Reading;

    async fn create(&self, name: &str) -> Result<Writing, StoreError> {
        Ok(Writing(self.folder.create(name).await?, Arc::clone(&self.left)))
    }

    async fn open(&self, name: &str) -> Result<Self::Reading, StoreError> {
        self.folder.open(name).await
    }
}

impl Upload for Writing {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        if self.1.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(StoreError::Failed(
                std::io::Error::from(std::io::ErrorKind::StorageFull).into(),
            ));
        }
        self.0.write(bytes).await
    }

    async fn finish(self) -> Result<(), StoreError> {
        self.0.finish().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_fails_half_way_is_none() {
    let source = database().await;
    source
        .run("CREATE TABLE t AS SELECT i, md5(i::text) FROM generate_series(1, 5000) i")
        .await;
    for writes in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let store = Filling {
            folder: Folder::new(folder.path()),
            left: Arc::new(AtomicI64::new(writes)),
        };
        let manifest = folder.path().join("manifest.json");
        match export(&source.url(), &store, SMALL, drop).await {
            Ok(_) => {
                assert!(manifest.exists() && writes > 3, "{writes}");
                return;
            }
            Err(error) => {
                assert!(matches!(error, ExportError::Store { .. }), "{error}");
                assert!(!manifest.exists(), "after {writes} writes");
                let left = fs::read_dir(folder.path()).into_iter().flatten().flatten();
                let unfinished = left.filter(|file| file.path().extension().is_some_and(|end| end == "unfinished"));
                assert_eq!(unfinished.count(), 0, "after {writes} writes");
            }
        }
    }
}

/// The trait is what another store has to bring; this keeps it usable from outside.
#[tokio::test]
async fn a_folder_shows_objects_only_when_they_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let store = Folder::new(folder.path());
    let mut upload = store.create("a/b").await.unwrap();
    upload.write(Bytes::from_static(b"one")).await.unwrap();
    assert!(matches!(store.open("a/b").await, Err(StoreError::Absent)));
    upload.finish().await.unwrap();
    let mut reading = store.open("a/b").await.unwrap();
    assert_eq!(reading.next().await.unwrap().as_deref(), Some(&b"one"[..]));
    assert_eq!(reading.next().await.unwrap(), None);
}

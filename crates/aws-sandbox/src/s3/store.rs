//! The buckets of the account and what is in them, under one lock.
//!
//! A write prepares its file first and decides, replaces and indexes under the lock, so that of many conditional
//! writes to one key exactly one wins.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::checksum::Checksum;
use super::condition::Expected;
use super::disk::{self, Disk, Draft};
use super::error::S3Error;
use super::request::{BucketName, Key};

/// The objects of an earlier run could not be found again.
#[derive(Debug, thiserror::Error)]
#[error("could not read the S3 objects at {}", path.display())]
pub(crate) struct StoreError {
    path: PathBuf,
    #[source]
    cause: io::Error,
}

#[derive(Debug)]
pub(crate) struct Store {
    disk: Disk,
    buckets: Mutex<Buckets>,
}

pub(crate) type Buckets = BTreeMap<String, Bucket>;

#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) about: BucketAbout,
    pub(crate) objects: BTreeMap<String, Arc<Object>>,
    pub(crate) uploads: BTreeMap<String, Upload>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct BucketAbout {
    pub(crate) region: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
}

/// What is known about an object beside its bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Object {
    pub(crate) key: String,
    pub(crate) size: u64,
    /// Without its quotes.
    pub(crate) etag: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) modified: OffsetDateTime,
    /// `content-type` and its like, and the user's own `x-amz-meta-…`.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) checksum: Option<Checksum>,
}

#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) about: UploadAbout,
    pub(crate) parts: BTreeMap<u16, Object>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UploadAbout {
    pub(crate) key: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) started: OffsetDateTime,
    pub(crate) headers: BTreeMap<String, String>,
}

/// Whether a bucket had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Creation {
    New,
    AlreadyYours,
}

impl Store {
    pub(crate) fn open(root: &Path) -> Result<Self, StoreError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |cause| StoreError { path, cause }
        };
        let disk = Disk::open(root).map_err(failed(root))?;
        let mut buckets = Buckets::new();
        for folder in disk::entries(&disk.buckets()).map_err(failed(root))? {
            let Some(name) = folder.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            // A bucket whose description never got there was never acknowledged.
            let Ok((about, _)) = disk::read(&folder.join("bucket.json")) else {
                continue;
            };
            let bucket = Bucket::open(&disk, name, about).map_err(failed(&folder))?;
            buckets.insert(name.to_owned(), bucket);
        }
        Ok(Self {
            disk,
            buckets: Mutex::new(buckets),
        })
    }

    pub(crate) fn disk(&self) -> &Disk {
        &self.disk
    }

    pub(crate) fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn create_bucket(&self, region: &str, name: &BucketName) -> Result<Creation, S3Error> {
        let mut buckets = self.buckets();
        if let Some(bucket) = buckets.get(name.as_str()) {
            return if bucket.about.region == region {
                Ok(Creation::AlreadyYours)
            } else {
                let message = format!("You already own this bucket, in {}", bucket.about.region);
                Err(S3Error::new(StatusCode::CONFLICT, "BucketAlreadyOwnedByYou", message))
            };
        }
        let about = BucketAbout {
            region: region.to_owned(),
            created: now(),
        };
        let folder = self.disk.buckets().join(name.as_str());
        let write = || {
            fs::create_dir_all(self.disk.objects(name.as_str()))?;
            fs::create_dir_all(self.disk.uploads(name.as_str()))?;
            self.disk.draft(&about, [])?.publish(&folder.join("bucket.json"))
        };
        write().map_err(|cause| S3Error::storage(&cause))?;
        buckets.insert(
            name.as_str().to_owned(),
            Bucket {
                about,
                objects: BTreeMap::new(),
                uploads: BTreeMap::new(),
            },
        );
        Ok(Creation::New)
    }

    pub(crate) fn delete_bucket(&self, region: &str, name: &BucketName) -> Result<(), S3Error> {
        let mut buckets = self.buckets();
        let bucket = buckets.at(region, name)?;
        if !bucket.objects.is_empty() || !bucket.uploads.is_empty() {
            let message = "The bucket you tried to delete is not empty";
            return Err(S3Error::new(StatusCode::CONFLICT, "BucketNotEmpty", message));
        }
        fs::remove_dir_all(self.disk.buckets().join(name.as_str())).map_err(|cause| S3Error::storage(&cause))?;
        buckets.remove(name.as_str());
        Ok(())
    }

    /// Writes an object when the bucket holds what is `expected`, both now and when the data is on disk.
    pub(crate) fn put(
        &self,
        region: &str,
        bucket: &BucketName,
        object: Object,
        data: impl IntoIterator<Item = io::Result<Bytes>>,
        expected: &Expected,
    ) -> Result<Arc<Object>, S3Error> {
        let current = |buckets: &Buckets| Ok(buckets.at_ref(region, bucket)?.objects.get(&object.key).cloned());
        expected.check_put(&object.key, current(&self.buckets())?.as_deref())?;
        let draft = self
            .disk
            .draft(&object, data)
            .map_err(|cause| S3Error::storage(&cause))?;
        let mut buckets = self.buckets();
        // It held a moment ago, so somebody came in between.
        expected
            .check_put(&object.key, current(&buckets)?.as_deref())
            .map_err(|_| S3Error::conflict())?;
        self.publish(buckets.at(region, bucket)?, bucket, object, draft)
    }

    /// The last step of a write; the caller holds the lock and has checked what it expected.
    pub(crate) fn publish(
        &self,
        bucket: &mut Bucket,
        name: &BucketName,
        object: Object,
        draft: Draft,
    ) -> Result<Arc<Object>, S3Error> {
        let place = self.disk.object(name.as_str(), &object.key);
        draft.publish(&place).map_err(|cause| S3Error::storage(&cause))?;
        let object = Arc::new(object);
        bucket.objects.insert(object.key.clone(), Arc::clone(&object));
        Ok(object)
    }

    /// The object and its opened file, which a later write cannot change.
    pub(crate) fn get(&self, region: &str, bucket: &BucketName, key: &Key) -> Result<(Object, File), S3Error> {
        let buckets = self.buckets();
        if !buckets.at_ref(region, bucket)?.objects.contains_key(key.as_str()) {
            return Err(S3Error::no_such_key(key.as_str()));
        }
        disk::read(&self.disk.object(bucket.as_str(), key.as_str())).map_err(|cause| S3Error::internal(&cause))
    }

    /// Deletes the object; one that is not there is deleted already.
    pub(crate) fn delete(
        &self,
        region: &str,
        bucket: &BucketName,
        key: &Key,
        expected: &Expected,
    ) -> Result<(), S3Error> {
        let mut buckets = self.buckets();
        let objects = &mut buckets.at(region, bucket)?.objects;
        expected.check_delete(objects.get(key.as_str()).map(AsRef::as_ref))?;
        disk::remove(&self.disk.object(bucket.as_str(), key.as_str())).map_err(|cause| S3Error::storage(&cause))?;
        objects.remove(key.as_str());
        Ok(())
    }
}

/// A bucket seen from a region: names are global, data is where the bucket was created.
pub(crate) trait At {
    fn at(&mut self, region: &str, bucket: &BucketName) -> Result<&mut Bucket, S3Error>;
    fn at_ref(&self, region: &str, bucket: &BucketName) -> Result<&Bucket, S3Error>;
}

impl At for Buckets {
    fn at(&mut self, region: &str, bucket: &BucketName) -> Result<&mut Bucket, S3Error> {
        self.at_ref(region, bucket)?;
        self.get_mut(bucket.as_str())
            .ok_or_else(|| S3Error::no_such_bucket(bucket.as_str()))
    }

    fn at_ref(&self, region: &str, bucket: &BucketName) -> Result<&Bucket, S3Error> {
        let found = self
            .get(bucket.as_str())
            .ok_or_else(|| S3Error::no_such_bucket(bucket.as_str()))?;
        if found.about.region == region {
            return Ok(found);
        }
        let message = format!(
            "The authorization header is malformed; the region '{region}' is wrong; expecting '{}'",
            found.about.region
        );
        Err(S3Error::invalid("AuthorizationHeaderMalformed", message))
    }
}

impl Bucket {
    fn open(disk: &Disk, name: &str, about: BucketAbout) -> io::Result<Self> {
        let mut bucket = Self {
            about,
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        for path in disk::entries(&disk.objects(name))? {
            let (object, _) = disk::read::<Object>(&path)?;
            bucket.objects.insert(object.key.clone(), Arc::new(object));
        }
        for path in disk::entries(&disk.uploads(name))? {
            let Some(id) = path.file_name().and_then(|id| id.to_str()) else {
                continue;
            };
            let Ok((about, _)) = disk::read(&path.join("upload.json")) else {
                continue;
            };
            let mut parts = BTreeMap::new();
            for part in disk::entries(&path)? {
                let number = part.file_name().and_then(|number| number.to_str()?.parse().ok());
                if let Some(number) = number {
                    parts.insert(number, disk::read::<Object>(&part)?.0);
                }
            }
            bucket.uploads.insert(id.to_owned(), Upload { about, parts });
        }
        Ok(bucket)
    }
}

/// The time in the precision S3 shows.
pub(crate) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_millisecond(now.millisecond()).unwrap_or(now)
}

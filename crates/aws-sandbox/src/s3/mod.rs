//! Amazon S3: buckets and objects in files, with conditional writes decided under one lock.
//!
//! Owns what is stored and the REST protocol around it. Never versions objects and never checks a permission; of
//! signatures, only those in URLs.

mod answer;
mod body;
mod bucket;
mod checksum;
mod condition;
mod disk;
mod error;
mod listing;
mod multipart;
mod object;
mod presigned;
mod request;
mod route;
mod store;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use error::S3Error;
pub(crate) use route::operation;
pub(crate) use store::StoreError;

use crate::front::call::{Call, Reply};
use request::Request;
use route::Operation;
use store::Store;

/// The service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct S3 {
    store: Arc<Store>,
}

impl S3 {
    /// Finds the objects of an earlier run again.
    pub(crate) fn open(state_dir: &std::path::Path) -> Result<Self, StoreError> {
        Ok(Self {
            store: Arc::new(Store::open(&state_dir.join("s3"))?),
        })
    }

    /// Creates a bucket; one that the account already has in this region is left as it is.
    pub(crate) fn ensure_bucket(&self, region: &str, name: &str) -> Result<(), S3Error> {
        self.store.create_bucket(region, &request::bucket_name(name)?).map(drop)
    }

    /// Answers one call. Files are read and written on a blocking thread, so that other services keep answering.
    pub(crate) async fn answer(&self, call: &Call) -> Reply {
        let store = Arc::clone(&self.store);
        let owned = call.clone();
        match tokio::task::spawn_blocking(move || perform(&store, &owned)).await {
            Ok(Ok(reply)) => answer::identified(reply, call),
            Ok(Err(error)) => error.reply(call),
            Err(cause) => S3Error::internal(&cause).reply(call),
        }
    }
}

fn perform(store: &Store, call: &Call) -> Result<Reply, S3Error> {
    presigned::check(call, time::OffsetDateTime::now_utc())?;
    let request = Request::read(call)?;
    match Operation::of(&request)? {
        Operation::ListBuckets => Ok(bucket::list(store)),
        Operation::CreateBucket => bucket::create(store, &request),
        Operation::HeadBucket => bucket::head(store, &request),
        Operation::DeleteBucket => bucket::delete(store, &request),
        Operation::GetBucketLocation => bucket::location(store, &request),
        Operation::GetBucketVersioning => bucket::versioning(store, &request),
        Operation::ListObjects => listing::first_version(store, &request),
        Operation::ListObjectsV2 => listing::second_version(store, &request),
        Operation::DeleteObjects => object::delete_many(store, &request),
        Operation::PutObject => object::put(store, &request),
        Operation::CopyObject => object::copy(store, &request),
        Operation::GetObject => object::get(store, &request),
        Operation::HeadObject => object::head(store, &request),
        Operation::DeleteObject => object::delete(store, &request),
        Operation::CreateMultipartUpload => multipart::create(store, &request),
        Operation::UploadPart => multipart::upload_part(store, &request),
        Operation::CompleteMultipartUpload => multipart::complete(store, &request),
        Operation::AbortMultipartUpload => multipart::abort(store, &request),
        Operation::ListParts => multipart::list_parts(store, &request),
        Operation::ListMultipartUploads => multipart::list(store, &request),
    }
}

//! Operations on buckets.

use http::StatusCode;

use super::answer::{document, empty, iso_date, set};
use super::body::Element;
use super::error::S3Error;
use super::request::Request;
use super::store::{At as _, Creation, Store};
use crate::front::call::Reply;

pub(crate) fn list(store: &Store) -> Reply {
    let buckets = store.buckets();
    document("ListAllMyBucketsResult", |xml| {
        xml.list_of("Buckets", "Bucket", buckets.iter(), |xml, (name, bucket)| {
            xml.text("Name", name);
            xml.text("CreationDate", iso_date(bucket.about.created));
            xml.text("BucketRegion", &bucket.about.region);
        });
    })
}

pub(crate) fn create(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let region = &request.call.region;
    if !request.payload.data.is_empty() {
        let configuration = Element::read(&request.payload.data)?;
        let constraint = configuration.text("LocationConstraint").unwrap_or_default();
        if !constraint.is_empty() && constraint != region {
            let message = format!("The {constraint} location constraint is incompatible for the region {region}");
            return Err(S3Error::invalid("IllegalLocationConstraintException", message));
        }
    }
    let name = request.bucket()?;
    match store.create_bucket(region, name)? {
        // The oldest region keeps its old answer (Amazon S3 API Reference, CreateBucket).
        Creation::AlreadyYours if region != "us-east-1" => {
            let message = "Your previous request to create the named bucket succeeded and you already own it";
            Err(S3Error::new(StatusCode::CONFLICT, "BucketAlreadyOwnedByYou", message))
        }
        Creation::New | Creation::AlreadyYours => {
            let mut reply = empty(StatusCode::OK);
            set(&mut reply, "location", &format!("/{}", name.as_str()));
            Ok(reply)
        }
    }
}

pub(crate) fn head(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    store.buckets().at_ref(&request.call.region, request.bucket()?)?;
    let mut reply = empty(StatusCode::OK);
    set(&mut reply, "x-amz-bucket-region", &request.call.region);
    Ok(reply)
}

pub(crate) fn delete(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    store.delete_bucket(&request.call.region, request.bucket()?)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(crate) fn location(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    store.buckets().at_ref(&request.call.region, request.bucket()?)?;
    // us-east-1 is the region without a name.
    let region = Some(&request.call.region).filter(|region| *region != "us-east-1");
    Ok(document("LocationConstraint", |xml| {
        xml.escape(region.map_or("", String::as_str));
    }))
}

/// Versioning was never enabled, which S3 says with an empty document.
pub(crate) fn versioning(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    store.buckets().at_ref(&request.call.region, request.bucket()?)?;
    Ok(document("VersioningConfiguration", |_| ()))
}

//! Which S3 operation a request is: its method, what it addresses and its subresource.

use std::collections::BTreeMap;

use http::Method;

use super::error::S3Error;
use super::request::{Request, Target, addressed};

/// The operations of this S3, by AWS's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    HeadBucket,
    DeleteBucket,
    GetBucketLocation,
    GetBucketVersioning,
    ListObjects,
    ListObjectsV2,
    DeleteObjects,
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    DeleteObject,
    CreateMultipartUpload,
    UploadPart,
    CompleteMultipartUpload,
    AbortMultipartUpload,
    ListParts,
    ListMultipartUploads,
}

/// What the front counts a call as and lets faults name, e.g. `PutObject`. A request that S3 will refuse is `Unknown`.
pub(crate) fn operation(parts: &http::request::Parts) -> String {
    let known = addressed(parts).and_then(|(target, query)| {
        let copies = parts.headers.contains_key("x-amz-copy-source");
        choose(&parts.method, &target, &query, copies)
    });
    known.map_or_else(|_| "Unknown".to_owned(), |operation| format!("{operation:?}"))
}

impl Operation {
    pub(crate) fn of(request: &Request<'_>) -> Result<Self, S3Error> {
        let copies = request.header("x-amz-copy-source").is_some();
        choose(request.method(), &request.target, &request.query, copies)
    }
}

/// Subresources that ask for something else than the object or the listing itself; ignoring one would destroy data.
const SUBRESOURCES: [&str; 34] = [
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "location",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "partNumber",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "renameObject",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versioning",
    "versions",
    "website",
];

fn choose(
    method: &Method,
    target: &Target,
    query: &BTreeMap<String, String>,
    copies: bool,
) -> Result<Operation, S3Error> {
    let subresource: Vec<&str> = SUBRESOURCES
        .into_iter()
        .filter(|name| query.contains_key(*name))
        .collect();
    let operation = match (method.as_str(), target, subresource.as_slice()) {
        ("GET", Target::Service, []) => Operation::ListBuckets,
        ("PUT", Target::Bucket(_), []) => Operation::CreateBucket,
        ("HEAD", Target::Bucket(_), []) => Operation::HeadBucket,
        ("DELETE", Target::Bucket(_), []) => Operation::DeleteBucket,
        ("GET", Target::Bucket(_), ["location"]) => Operation::GetBucketLocation,
        ("GET", Target::Bucket(_), ["versioning"]) => Operation::GetBucketVersioning,
        ("GET", Target::Bucket(_), ["uploads"]) => Operation::ListMultipartUploads,
        ("GET", Target::Bucket(_), []) if query.get("list-type").is_some_and(|version| version == "2") => {
            Operation::ListObjectsV2
        }
        ("GET", Target::Bucket(_), []) => Operation::ListObjects,
        ("POST", Target::Bucket(_), ["delete"]) => Operation::DeleteObjects,
        ("PUT", Target::Object(..), []) if copies => Operation::CopyObject,
        ("PUT", Target::Object(..), []) => Operation::PutObject,
        ("GET", Target::Object(..), []) => Operation::GetObject,
        ("HEAD", Target::Object(..), []) => Operation::HeadObject,
        ("DELETE", Target::Object(..), []) => Operation::DeleteObject,
        ("POST", Target::Object(..), ["uploads"]) => Operation::CreateMultipartUpload,
        ("PUT", Target::Object(..), ["partNumber", "uploadId"]) if !copies => Operation::UploadPart,
        ("POST", Target::Object(..), ["uploadId"]) => Operation::CompleteMultipartUpload,
        ("DELETE", Target::Object(..), ["uploadId"]) => Operation::AbortMultipartUpload,
        ("GET", Target::Object(..), ["uploadId"]) => Operation::ListParts,
        (method, _, []) => return Err(S3Error::not_implemented(&format!("{method} here"))),
        (method, _, names) => {
            return Err(S3Error::not_implemented(&format!("{method} ?{}", names.join("&"))));
        }
    };
    Ok(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(method: &str, uri: &str) -> String {
        let (parts, ()) = http::Request::builder()
            .method(method)
            .uri(uri)
            .body(())
            .unwrap()
            .into_parts();
        operation(&parts)
    }

    #[test]
    fn a_request_is_named_by_method_target_and_subresource() {
        for (method, uri, expected) in [
            ("GET", "/", "ListBuckets"),
            ("PUT", "/bucket", "CreateBucket"),
            ("GET", "/bucket?list-type=2&prefix=a", "ListObjectsV2"),
            ("GET", "/bucket", "ListObjects"),
            ("PUT", "/bucket/key?x-id=PutObject", "PutObject"),
            ("PUT", "/bucket/key?partNumber=1&uploadId=u", "UploadPart"),
            ("POST", "/bucket/key?uploads", "CreateMultipartUpload"),
            ("DELETE", "/bucket/key?uploadId=u", "AbortMultipartUpload"),
            ("PUT", "/bucket/key?tagging", "Unknown"),
            ("DELETE", "/bucket/key?tagging", "Unknown"),
            ("PUT", "/bucket?policy", "Unknown"),
            ("PATCH", "/bucket", "Unknown"),
        ] {
            assert_eq!(name(method, uri), expected, "{method} {uri}");
        }
    }
}

//! What the registry refuses, in the words of the protocol (OCI Distribution Specification, "Error codes").

use std::io;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};

use super::Answer;
use super::digest::{Digest, NotADigest};
use super::manifest::BadManifest;
use super::name::BadName;

/// A request that cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("repository name not known to registry: {0}")]
    NameUnknown(String),
    #[error("{0}")]
    BadName(BadName),
    #[error("{0}")]
    BadDigest(NotADigest),
    #[error("what was uploaded has the digest {found}, not {promised}")]
    WrongDigest { promised: Digest, found: Digest },
    #[error("blob unknown to registry: {0}")]
    BlobUnknown(Digest),
    #[error("manifest unknown: {0}")]
    ManifestUnknown(String),
    #[error("manifest references a manifest or blob unknown to registry: {0}")]
    ManifestBlobUnknown(Digest),
    #[error("{}", crate::front::chain(.0))]
    BadManifest(BadManifest),
    #[error("the manifest is larger than {0} bytes")]
    ManifestTooLarge(usize),
    #[error("blob upload unknown to registry: {0}")]
    UploadUnknown(String),
    #[error("the chunk begins at {begins}, but {have} bytes are here")]
    OutOfOrder { begins: u64, have: u64 },
    #[error("a digest parameter is missing")]
    NoDigest,
    #[error("the upload broke off: {0}")]
    BrokeOff(String),
    #[error("the sandbox cannot read or write its images: {0}")]
    Disk(#[from] io::Error),
    #[error("the registry has no such address")]
    NoSuchAddress,
    #[error("the operation is unsupported")]
    Unsupported,
}

impl Refusal {
    fn code(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NameUnknown(_) => (StatusCode::NOT_FOUND, "NAME_UNKNOWN"),
            Self::BadName(BadName::Repository(_)) => (StatusCode::BAD_REQUEST, "NAME_INVALID"),
            Self::BadDigest(_) | Self::WrongDigest { .. } | Self::NoDigest => {
                (StatusCode::BAD_REQUEST, "DIGEST_INVALID")
            }
            Self::BlobUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UNKNOWN"),
            Self::ManifestUnknown(_) => (StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN"),
            Self::ManifestBlobUnknown(_) => (StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN"),
            Self::BadName(BadName::Reference(_)) | Self::BadManifest(_) => {
                (StatusCode::BAD_REQUEST, "MANIFEST_INVALID")
            }
            Self::ManifestTooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "MANIFEST_INVALID"),
            Self::UploadUnknown(_) => (StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN"),
            Self::OutOfOrder { .. } => (StatusCode::RANGE_NOT_SATISFIABLE, "BLOB_UPLOAD_INVALID"),
            Self::BrokeOff(_) => (StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID"),
            Self::Disk(_) => (StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN"),
            Self::NoSuchAddress => (StatusCode::NOT_FOUND, "UNSUPPORTED"),
            Self::Unsupported => (StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED"),
        }
    }

    pub(super) fn answer(&self) -> Answer {
        let (status, code) = self.code();
        let body = serde_json::json!({ "errors": [{ "code": code, "message": self.to_string() }] });
        let body = Full::new(Bytes::from(body.to_string()))
            .map_err(|never| match never {})
            .boxed();
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        answer
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }
}

impl From<BadName> for Refusal {
    fn from(cause: BadName) -> Self {
        Self::BadName(cause)
    }
}

impl From<NotADigest> for Refusal {
    fn from(cause: NotADigest) -> Self {
        Self::BadDigest(cause)
    }
}

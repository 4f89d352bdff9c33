//! Refusals as S3 shapes them: an `Error` element without an envelope (Amazon S3 API Reference, "Error responses").

use std::error::Error;
use std::io;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body_util::Full;

use super::answer::identified;
use crate::front::call::{Call, Reply};
use crate::wire::Xml;

/// Why S3 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct S3Error {
    code: &'static str,
    status: StatusCode,
    message: String,
}

impl S3Error {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
        }
    }

    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    pub(crate) fn no_such_bucket(bucket: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchBucket",
            format!("The specified bucket does not exist: {bucket}"),
        )
    }

    pub(crate) fn no_such_key(key: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NoSuchKey",
            format!("The specified key does not exist: {key}"),
        )
    }

    pub(crate) fn no_such_upload() -> Self {
        let message = "The specified multipart upload does not exist; it may have been aborted or completed";
        Self::new(StatusCode::NOT_FOUND, "NoSuchUpload", message)
    }

    pub(crate) fn precondition_failed() -> Self {
        let message = "At least one of the preconditions you specified did not hold";
        Self::new(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message)
    }

    /// The condition held when the request came and no longer when its object was to be replaced.
    pub(crate) fn conflict() -> Self {
        let message = "A conflicting operation changed this key during the conditional request; try again";
        Self::new(StatusCode::CONFLICT, "ConditionalRequestConflict", message)
    }

    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            format!("The sandbox does not have {what}"),
        )
    }

    /// The disk is full or gone.
    pub(crate) fn storage(cause: &io::Error) -> Self {
        let message = format!("the sandbox cannot write its state: {cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    pub(crate) fn internal(cause: &dyn Error) -> Self {
        let message = format!("the sandbox could not finish the request: {cause}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn reply(&self, call: &Call) -> Reply {
        let mut reply = Reply::default();
        *reply.status_mut() = self.status;
        // 304 and the answer to a HEAD have no body to explain themselves in.
        if self.status != StatusCode::NOT_MODIFIED && call.parts.method != http::Method::HEAD {
            let mut xml = Xml::document();
            xml.element("Error", |xml| {
                xml.text("Code", self.code);
                xml.text("Message", &self.message);
                xml.text("Resource", call.parts.uri.path());
                xml.text("RequestId", &call.request_id);
            });
            *reply.body_mut() = Full::new(Bytes::from(xml.finish()));
            reply
                .headers_mut()
                .insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        }
        identified(reply, call)
    }
}

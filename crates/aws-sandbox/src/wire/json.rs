//! The pieces of the AWS JSON protocol: a JSON document in, a JSON document or an error with a `__type` out.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use crate::front::call::{Call, Reply};

/// A refusal as the JSON protocol shapes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct JsonError {
    code: String,
    message: String,
    status: StatusCode,
}

impl JsonError {
    /// The caller's mistake.
    pub(crate) fn client(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status: StatusCode::BAD_REQUEST,
        }
    }

    /// An operation that the service of this sandbox does not have.
    pub(crate) fn unknown_operation(call: &Call) -> Self {
        let message = format!("The sandbox does not have the operation {}", call.operation);
        Self::client("UnknownOperationException", message)
    }

    pub(crate) fn reply(&self, call: &Call) -> Reply {
        let body = serde_json::json!({ "__type": self.code, "message": self.message, "Message": self.message });
        let mut reply = reply(self.status, call, body.to_string());
        if let Ok(code) = HeaderValue::from_str(&self.code) {
            reply.headers_mut().insert("x-amzn-errortype", code);
        }
        reply
    }
}

/// Reads the input of an operation; an empty body is an empty input.
pub(crate) fn input<T: DeserializeOwned>(call: &Call) -> Result<T, JsonError> {
    let body: &[u8] = if call.body.is_empty() { b"{}" } else { &call.body };
    serde_json::from_slice(body).map_err(|cause| JsonError::client("SerializationException", cause.to_string()))
}

/// A successful answer.
pub(crate) fn answer(call: &Call, output: &impl Serialize) -> Reply {
    match serde_json::to_string(output) {
        Ok(body) => reply(StatusCode::OK, call, body),
        Err(cause) => JsonError {
            code: "InternalFailure".to_owned(),
            message: format!("the sandbox could not write its answer: {cause}"),
            status: StatusCode::INTERNAL_SERVER_ERROR,
        }
        .reply(call),
    }
}

/// A timestamp as the JSON protocol writes it: seconds since the epoch, in the precision AWS shows.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since the epoch fit 53 bits for the next 200,000 years"
)]
pub(crate) fn epoch_seconds(at: OffsetDateTime) -> f64 {
    (at.unix_timestamp_nanos() / 1_000_000) as f64 / 1000.0
}

fn reply(status: StatusCode, call: &Call, body: String) -> Reply {
    let mut reply = Reply::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    let kind = call.parts.headers.get(http::header::CONTENT_TYPE).cloned();
    let kind = kind.unwrap_or(HeaderValue::from_static("application/x-amz-json-1.1"));
    reply.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    if let Ok(id) = HeaderValue::from_str(&call.request_id) {
        reply.headers_mut().insert("x-amzn-requestid", id);
    }
    reply
}

//! The three protocols CloudWatch clients speak: RPC v2 CBOR (today's SDKs), AWS JSON and Query (older ones).
//!
//! A request becomes one JSON document whatever its protocol was, an answer is written from one [`Tree`].

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::{HeaderValue, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::error::CloudWatchError;
use super::tree::Tree;
use crate::front::call::{Call, Reply};
use crate::wire::{QueryError, answer, parameters};

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
/// A request may be compressed; a small one must not unpack into all of memory (`PutMetricData` is limited to 1 MB).
const LARGEST_BODY: u64 = 16 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Cbor,
    Json,
    Query,
}

impl Protocol {
    pub(crate) fn of(call: &Call) -> Self {
        let headers = &call.parts.headers;
        if headers
            .get("smithy-protocol")
            .is_some_and(|protocol| protocol == "rpc-v2-cbor")
        {
            Self::Cbor
        } else if headers.contains_key("x-amz-target") {
            Self::Json
        } else {
            Self::Query
        }
    }

    /// The input of an operation.
    pub(crate) fn input<T: DeserializeOwned>(self, call: &Call) -> Result<T, CloudWatchError> {
        let malformed = |cause: &dyn std::error::Error| CloudWatchError::malformed(cause.to_string());
        let body = unpacked(call)?;
        let document = match self {
            Self::Query => parameters(call).to_json(),
            Self::Json | Self::Cbor if body.is_empty() => Value::Object(Map::new()),
            Self::Json => serde_json::from_slice(&body).map_err(|cause| malformed(&cause))?,
            Self::Cbor => from_cbor(ciborium::from_reader(&*body).map_err(|cause| malformed(&cause))?),
        };
        serde_json::from_value(document).map_err(|cause| malformed(&cause))
    }

    pub(crate) fn answer(self, call: &Call, output: &Tree) -> Reply {
        match self {
            Self::Query => answer(call, NAMESPACE, |xml| output.xml(xml)),
            Self::Json | Self::Cbor => self.reply(StatusCode::OK, call, output),
        }
    }

    pub(crate) fn refuse(self, call: &Call, error: &CloudWatchError) -> Reply {
        if self == Self::Query {
            return QueryError::with_status(error.status, error.code, &error.message).reply(call, NAMESPACE);
        }
        // The Rust SDK knows errors by their Query code, botocore by the header or the shape.
        let kind = if call.parts.headers.contains_key("x-amzn-query-mode") {
            error.code
        } else {
            error.shape
        };
        let body = Tree::Fields(vec![("__type", kind.into()), ("message", (&error.message).into())]);
        let mut reply = self.reply(error.status, call, &body);
        if let Ok(code) = HeaderValue::from_str(&format!("{};Sender", error.code)) {
            reply.headers_mut().insert("x-amzn-query-error", code);
        }
        reply
    }

    fn reply(self, status: StatusCode, call: &Call, body: &Tree) -> Reply {
        let (kind, body) = match self {
            Self::Cbor => ("application/cbor", body.cbor()),
            Self::Json | Self::Query => ("application/x-amz-json-1.0", body.json().to_string().into_bytes()),
        };
        let mut reply = Reply::new(Full::new(Bytes::from(body)));
        *reply.status_mut() = status;
        let headers = reply.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if self == Self::Cbor {
            headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        if let Ok(id) = HeaderValue::from_str(&call.request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        reply
    }
}

/// SDKs compress large requests (Smithy, "requestCompression trait").
fn unpacked(call: &Call) -> Result<Bytes, CloudWatchError> {
    if call
        .parts
        .headers
        .get(http::header::CONTENT_ENCODING)
        .is_none_or(|encoding| encoding != "gzip")
    {
        return Ok(call.body.clone());
    }
    let mut body = Vec::new();
    let read = GzDecoder::new(&*call.body).take(LARGEST_BODY).read_to_end(&mut body);
    read.map_err(|cause| CloudWatchError::malformed(format!("the gzip body cannot be read: {cause}")))?;
    Ok(Bytes::from(body))
}

#[expect(clippy::wildcard_enum_match_arm, reason = "ciborium's enum is non-exhaustive")]
/// Not a number has no form in JSON and becomes null, which no operation accepts for a number.
fn from_cbor(value: ciborium::Value) -> Value {
    match value {
        ciborium::Value::Integer(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        ciborium::Value::Float(number) => Value::from(number),
        ciborium::Value::Text(text) => Value::String(text),
        ciborium::Value::Bool(flag) => Value::Bool(flag),
        // Tag 1 is a timestamp; what it contains is a number of seconds.
        ciborium::Value::Tag(_, inner) => from_cbor(*inner),
        ciborium::Value::Array(items) => items.into_iter().map(from_cbor).collect(),
        ciborium::Value::Map(fields) => {
            let named = |(name, value): (ciborium::Value, _)| Some((name.into_text().ok()?, from_cbor(value)));
            fields.into_iter().filter_map(named).collect::<Map<_, _>>().into()
        }
        // Null, bytes, and what a later ciborium may add: no input of CloudWatch has any of them.
        _ => Value::Null,
    }
}

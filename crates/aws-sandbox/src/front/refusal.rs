//! Errors that the front itself answers, in the shape of the protocol the client speaks.

use bytes::Bytes;
use ciborium::Value;
use http::{HeaderValue, StatusCode};
use http_body_util::Full;

use super::call::Reply;
use super::service::Protocol;
use crate::wire::Xml;

/// A code, a message and a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: StatusCode,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status,
        }
    }

    /// "The request must contain either a valid (registered) AWS access key ID or X.509 certificate."
    pub(crate) fn unsigned() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "MissingAuthenticationToken",
            "Missing Authentication Token",
        )
    }

    pub(crate) fn expired(protocol: Protocol) -> Self {
        let code = match protocol {
            Protocol::Json | Protocol::Cbor => "ExpiredTokenException",
            Protocol::Query | Protocol::RestXml => "ExpiredToken",
        };
        Self::new(
            StatusCode::FORBIDDEN,
            code,
            "The security token included in the request is expired",
        )
    }

    pub(crate) fn throttled(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Json | Protocol::Cbor => {
                Self::new(StatusCode::BAD_REQUEST, "ThrottlingException", "Rate exceeded")
            }
            Protocol::Query => Self::new(StatusCode::BAD_REQUEST, "Throttling", "Rate exceeded"),
            Protocol::RestXml => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "SlowDown",
                "Please reduce your request rate.",
            ),
        }
    }

    pub(crate) fn unknown_service(name: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "UnknownOperationException",
            format!("The sandbox does not play the service {name}"),
        )
    }

    pub(crate) fn state_not_written(cause: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalFailure",
            format!("the sandbox cannot write its state: {cause}"),
        )
    }

    pub(crate) fn reply(&self, protocol: Protocol, request_id: &str) -> Reply {
        let (kind, body) = match protocol {
            Protocol::Json => ("application/x-amz-json-1.1", self.json().into_bytes()),
            Protocol::Query => ("text/xml", self.query(request_id).into_bytes()),
            Protocol::RestXml => ("application/xml", self.rest(request_id).into_bytes()),
            Protocol::Cbor => ("application/cbor", self.cbor()),
        };
        let mut reply = Reply::new(Full::new(Bytes::from(body)));
        *reply.status_mut() = self.status;
        let headers = reply.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-amzn-requestid", id);
        }
        if protocol == Protocol::Cbor {
            headers.insert("smithy-protocol", HeaderValue::from_static("rpc-v2-cbor"));
        }
        reply
    }

    fn json(&self) -> String {
        serde_json::json!({ "__type": self.code, "message": self.message }).to_string()
    }

    fn query(&self, request_id: &str) -> String {
        let sender = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut xml = Xml::document();
        xml.element("ErrorResponse", |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", sender);
                xml.text("Code", &self.code);
                xml.text("Message", &self.message);
            });
            xml.text("RequestId", request_id);
        });
        xml.finish()
    }

    fn rest(&self, request_id: &str) -> String {
        let mut xml = Xml::document();
        xml.element("Error", |xml| {
            xml.text("Code", &self.code);
            xml.text("Message", &self.message);
            xml.text("RequestId", request_id);
        });
        xml.finish()
    }

    fn cbor(&self) -> Vec<u8> {
        let text = |text: &str| Value::Text(text.to_owned());
        let map = Value::Map(vec![
            (text("__type"), text(&self.code)),
            (text("message"), text(&self.message)),
        ]);
        let mut bytes = Vec::new();
        // Writing a value into memory cannot fail; an empty body would still carry the status.
        if ciborium::into_writer(&map, &mut bytes).is_err() {
            bytes.clear();
        }
        bytes
    }
}

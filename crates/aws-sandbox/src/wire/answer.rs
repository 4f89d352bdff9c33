//! The envelopes of the Query protocol: `<XResponse><XResult>…` and `<ErrorResponse>`.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::Full;

use super::Xml;
use crate::front::call::{Call, Reply};

/// A refusal as the Query protocol shapes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct QueryError {
    code: String,
    message: String,
    status: StatusCode,
}

impl QueryError {
    /// The caller's mistake: status 400 and type `Sender`.
    pub(crate) fn sender(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::with_status(StatusCode::BAD_REQUEST, code, message)
    }

    /// A refusal with another status, e.g. RDS's 404 for an absent instance. From 500 on its type is `Receiver`.
    pub(crate) fn with_status(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            status,
        }
    }

    /// An operation that the service of this sandbox does not have.
    pub(crate) fn unknown_operation(call: &Call) -> Self {
        Self::sender(
            "InvalidAction",
            format!("Could not find operation {} in the sandbox", call.operation),
        )
    }

    /// AWS's name of the error.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.code
    }

    /// The error as an answer in the service's namespace.
    pub(crate) fn reply(&self, call: &Call, namespace: &str) -> Reply {
        let kind = if self.status.is_server_error() {
            "Receiver"
        } else {
            "Sender"
        };
        let mut xml = Xml::document();
        xml.root("ErrorResponse", namespace, |xml| {
            xml.element("Error", |xml| {
                xml.text("Type", kind);
                xml.text("Code", &self.code);
                xml.text("Message", &self.message);
            });
            xml.text("RequestId", &call.request_id);
        });
        reply(self.status, call, xml)
    }
}

/// A successful answer with the fields that `result` writes.
pub(crate) fn answer(call: &Call, namespace: &str, result: impl FnOnce(&mut Xml)) -> Reply {
    envelope(call, namespace, |xml| {
        xml.element(&format!("{}Result", call.operation), result);
    })
}

/// A successful answer of an operation without an output, which has no `Result` element in RDS and an empty one in ELB; clients read both.
pub(crate) fn empty_answer(call: &Call, namespace: &str) -> Reply {
    answer(call, namespace, |_| ())
}

fn envelope(call: &Call, namespace: &str, inside: impl FnOnce(&mut Xml)) -> Reply {
    let mut xml = Xml::document();
    xml.root(&format!("{}Response", call.operation), namespace, |xml| {
        inside(xml);
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", &call.request_id));
    });
    reply(StatusCode::OK, call, xml)
}

fn reply(status: StatusCode, call: &Call, xml: Xml) -> Reply {
    let mut reply = Reply::new(Full::new(Bytes::from(xml.finish())));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/xml"));
    if let Ok(id) = http::HeaderValue::from_str(&call.request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    reply
}

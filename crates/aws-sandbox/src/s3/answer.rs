//! Answers as S3 gives them: XML documents, empty answers, and the headers every answer has.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::Full;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::front::call::{Call, Reply};
use crate::wire::Xml;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
const ISO_8601: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

pub(crate) fn document(root: &str, inside: impl FnOnce(&mut Xml)) -> Reply {
    let mut xml = Xml::document();
    xml.root(root, NAMESPACE, inside);
    let mut reply = Reply::new(Full::new(Bytes::from(xml.finish())));
    set(&mut reply, "content-type", "application/xml");
    reply
}

pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

/// Sets a header; a value that HTTP cannot carry is left out.
pub(crate) fn set(reply: &mut Reply, name: &str, value: &str) {
    let header = (HeaderName::try_from(name), HeaderValue::from_str(value));
    if let (Ok(name), Ok(value)) = header {
        reply.headers_mut().insert(name, value);
    }
}

/// The request id, under the names S3 and the SDKs use.
pub(crate) fn identified(mut reply: Reply, call: &Call) -> Reply {
    set(&mut reply, "x-amz-request-id", &call.request_id);
    set(&mut reply, "x-amz-id-2", &call.request_id);
    reply
}

/// `Mon, 02 Jan 2006 15:04:05 GMT`.
pub(crate) fn http_date(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC)
        .format(&HTTP_DATE)
        .unwrap_or_default()
}

pub(crate) fn parse_http_date(text: &str) -> Option<OffsetDateTime> {
    time::PrimitiveDateTime::parse(text, &HTTP_DATE)
        .ok()
        .map(time::PrimitiveDateTime::assume_utc)
}

/// `2006-01-02T15:04:05.000Z`.
pub(crate) fn iso_date(at: OffsetDateTime) -> String {
    at.to_offset(time::UtcOffset::UTC).format(&ISO_8601).unwrap_or_default()
}

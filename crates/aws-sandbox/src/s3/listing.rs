//! Listings: prefix, delimiter and pages over the sorted keys of a bucket.

use std::ops::Bound;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::answer::{document, iso_date};
use super::error::S3Error;
use super::object::quoted;
use super::request::Request;
use super::store::{At as _, Object, Store};
use crate::front::call::Reply;
use crate::wire::Xml;

/// Amazon S3 API Reference, `ListObjectsV2`: `max-keys`.
const PAGE: usize = 1000;

pub(crate) fn second_version(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let token = request.parameter("continuation-token").map(decode_token).transpose()?;
    let after = token.as_deref().or(request.parameter("start-after"));
    let page = Page::of(store, request, after)?;
    Ok(document("ListBucketResult", |xml| {
        page.write(xml, request);
        xml.text("KeyCount", page.entries.len());
        xml.optional("StartAfter", request.parameter("start-after").map(|key| page.name(key)));
        xml.optional("ContinuationToken", request.parameter("continuation-token"));
        xml.optional(
            "NextContinuationToken",
            page.next.as_deref().map(|key| BASE64_URL_SAFE_NO_PAD.encode(key)),
        );
    }))
}

pub(crate) fn first_version(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let marker = request.parameter("marker");
    let page = Page::of(store, request, marker)?;
    Ok(document("ListBucketResult", |xml| {
        page.write(xml, request);
        xml.text("Marker", page.name(marker.unwrap_or_default()));
        xml.optional("NextMarker", page.next.as_deref().map(|key| page.name(key)));
    }))
}

enum Entry {
    Object(Arc<Object>),
    /// Everything below a prefix that ends with the delimiter.
    Common(String),
}

struct Page {
    entries: Vec<Entry>,
    /// The last entry of this page when there are more.
    next: Option<String>,
    limit: usize,
    names: Names,
}

/// How keys are written, which the client chooses: XML cannot carry every character of a key.
#[derive(Clone, Copy)]
enum Names {
    Plain,
    UrlEncoded,
}

impl Page {
    fn of(store: &Store, request: &Request<'_>, after: Option<&str>) -> Result<Self, S3Error> {
        let limit = request.number("max-keys")?.unwrap_or(PAGE).min(PAGE);
        let names = match request.parameter("encoding-type") {
            None => Names::Plain,
            Some("url") => Names::UrlEncoded,
            Some(other) => {
                let message = format!("Invalid Encoding Method specified in Request: {other}");
                return Err(S3Error::invalid("InvalidArgument", message));
            }
        };
        let prefix = request.parameter("prefix").unwrap_or_default();
        let delimiter = request.parameter("delimiter").filter(|delimiter| !delimiter.is_empty());
        let buckets = store.buckets();
        let objects = &buckets.at_ref(&request.call.region, request.bucket()?)?.objects;
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after.to_owned()),
            Some(_) | None => Bound::Included(prefix.to_owned()),
        };
        let mut page = Self {
            entries: Vec::new(),
            next: None,
            limit,
            names,
        };
        let mut last = after.map(str::to_owned);
        for (key, object) in objects
            .range((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
        {
            let common = delimiter.and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)? + prefix.len() + delimiter.len();
                Some(key[..end].to_owned())
            });
            // Keys below a common prefix that was listed already, on this page or on the one before, add nothing.
            if common.is_some() && common == last {
                continue;
            }
            if page.entries.len() == limit {
                page.next = last.filter(|_| limit > 0);
                break;
            }
            last = Some(common.clone().unwrap_or_else(|| key.clone()));
            page.entries
                .push(common.map_or_else(|| Entry::Object(Arc::clone(object)), Entry::Common));
        }
        Ok(page)
    }

    fn write(&self, xml: &mut Xml, request: &Request<'_>) {
        xml.text("Name", request.bucket().map_or("", |bucket| bucket.as_str()));
        xml.text("Prefix", self.name(request.parameter("prefix").unwrap_or_default()));
        xml.optional(
            "Delimiter",
            request.parameter("delimiter").map(|delimiter| self.name(delimiter)),
        );
        xml.text("MaxKeys", self.limit);
        xml.optional("EncodingType", request.parameter("encoding-type"));
        xml.text("IsTruncated", self.next.is_some());
        for entry in &self.entries {
            match entry {
                Entry::Object(object) => xml.element("Contents", |xml| {
                    xml.text("Key", self.name(&object.key));
                    xml.text("LastModified", iso_date(object.modified));
                    xml.text("ETag", quoted(&object.etag));
                    xml.text("Size", object.size);
                    if let Some(checksum) = &object.checksum {
                        xml.text("ChecksumAlgorithm", checksum.algorithm());
                        xml.text("ChecksumType", "FULL_OBJECT");
                    }
                    xml.text("StorageClass", "STANDARD");
                }),
                Entry::Common(prefix) => {
                    xml.element("CommonPrefixes", |xml| xml.text("Prefix", self.name(prefix)));
                }
            }
        }
    }

    fn name(&self, key: &str) -> String {
        match self.names {
            Names::Plain => key.to_owned(),
            Names::UrlEncoded => url_encoded(key),
        }
    }
}

fn decode_token(token: &str) -> Result<String, S3Error> {
    let invalid = || S3Error::invalid("InvalidArgument", "The continuation token provided is incorrect");
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| invalid())?;
    String::from_utf8(bytes).map_err(|_| invalid())
}

fn url_encoded(key: &str) -> String {
    use std::fmt::Write as _;
    key.bytes().fold(String::with_capacity(key.len()), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~/*".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
        text
    })
}

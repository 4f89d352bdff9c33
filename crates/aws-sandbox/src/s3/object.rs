//! Operations on objects: put, copy, get, head, delete.

use std::collections::BTreeMap;
use std::fs::File;

use http::StatusCode;
use http_body_util::Full;

use super::answer::{document, empty, http_date, iso_date, set};
use super::body::Element;
use super::checksum;
use super::condition::{Expected, check_read, unquoted};
use super::disk;
use super::error::S3Error;
use super::request::{self, Request};
use super::store::{Object, Store, now};
use crate::front::call::Reply;

/// Headers that are kept with an object and answered again.
const KEPT: [&str; 6] = [
    "content-type",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "expires",
];

pub(crate) fn put(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (bucket, key) = request.object()?;
    let data = &request.payload.data;
    let object = Object {
        key: key.as_str().to_owned(),
        size: data.len() as u64,
        etag: checksum::etag(data),
        modified: now(),
        headers: kept_headers(request)?,
        checksum: request.payload.checksum.clone(),
    };
    let expected = Expected::of_write(request)?;
    let object = store.put(&request.call.region, bucket, object, [Ok(data.clone())], &expected)?;
    let mut reply = empty(StatusCode::OK);
    set(&mut reply, "etag", &quoted(&object.etag));
    if let Some(checksum) = &object.checksum {
        set(&mut reply, &checksum.header, &checksum.value);
    }
    Ok(reply)
}

pub(crate) fn copy(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let source = request.header("x-amz-copy-source").unwrap_or_default();
    let source = request::decode(source.split('?').next().unwrap_or_default())?;
    let (from_bucket, from_key) = source
        .strip_prefix('/')
        .unwrap_or(&source)
        .split_once('/')
        .ok_or_else(|| {
            S3Error::invalid(
                "InvalidArgument",
                "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
            )
        })?;
    let (from_bucket, from_key) = (request::bucket_name(from_bucket)?, request::key(from_key)?);
    let region = &request.call.region;
    let (original, file) = store.get(region, &from_bucket, &from_key)?;
    check_read(request, "x-amz-copy-source-", &original)?;
    let (bucket, key) = request.object()?;
    let replaces = request.header("x-amz-metadata-directive") == Some("REPLACE");
    let headers = if replaces {
        kept_headers(request)?
    } else {
        original.headers.clone()
    };
    let data = disk::slice(file, 0, original.size);
    let object = Object {
        key: key.as_str().to_owned(),
        modified: now(),
        headers,
        ..original
    };
    let object = store.put(region, bucket, object, [data], &Expected::of_write(request)?)?;
    Ok(document("CopyObjectResult", |xml| {
        xml.text("ETag", quoted(&object.etag));
        xml.text("LastModified", iso_date(object.modified));
        if let Some(checksum) = &object.checksum {
            xml.text(&format!("Checksum{}", checksum.algorithm()), &checksum.value);
            xml.text("ChecksumType", "FULL_OBJECT");
        }
    }))
}

pub(crate) fn get(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (mut reply, span, file) = described(store, request)?;
    let data = disk::slice(file, span.from, span.length).map_err(|cause| S3Error::internal(&cause))?;
    *reply.body_mut() = Full::new(data);
    Ok(reply)
}

pub(crate) fn head(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (mut reply, span, _) = described(store, request)?;
    set(&mut reply, "content-length", &span.length.to_string());
    Ok(reply)
}

pub(crate) fn delete(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (bucket, key) = request.object()?;
    store.delete(&request.call.region, bucket, key, &Expected::of_write(request)?)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(crate) fn delete_many(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let bucket = request.bucket()?;
    let document_sent = Element::read(&request.payload.data)?;
    let objects: Vec<&Element> = document_sent.all("Object").collect();
    if objects.is_empty() || objects.len() > 1000 {
        return Err(S3Error::invalid("MalformedXML", "A request deletes 1 to 1000 objects"));
    }
    let mut outcomes = Vec::new();
    for object in objects {
        let key = request::key(object.text("Key").unwrap_or_default())?;
        let expected = match object.text("ETag") {
            None => Expected::Anything,
            Some("*") => Expected::Present,
            Some(etag) => Expected::Etag(unquoted(etag).to_owned()),
        };
        outcomes.push((store.delete(&request.call.region, bucket, &key, &expected), key));
    }
    let quiet = document_sent.text("Quiet") == Some("true");
    Ok(document("DeleteResult", |xml| {
        for (outcome, key) in &outcomes {
            match outcome {
                Ok(()) if quiet => {}
                Ok(()) => xml.element("Deleted", |xml| xml.text("Key", key.as_str())),
                Err(error) => xml.element("Error", |xml| {
                    xml.text("Key", key.as_str());
                    xml.text("Code", error.code());
                    xml.text("Message", error.message());
                }),
            }
        }
    }))
}

/// The part of an object that an answer carries.
struct Span {
    from: u64,
    length: u64,
}

fn described(store: &Store, request: &Request<'_>) -> Result<(Reply, Span, File), S3Error> {
    let (bucket, key) = request.object()?;
    let (object, file) = store.get(&request.call.region, bucket, key)?;
    check_read(request, "", &object)?;
    let span = request
        .header("range")
        .map_or(Ok(None), |range| part(range, object.size))?;
    let mut reply = empty(if span.is_some() {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    });
    set(&mut reply, "content-type", "binary/octet-stream");
    for (name, value) in &object.headers {
        set(&mut reply, name, value);
    }
    for name in KEPT {
        if let Some(value) = request.parameter(&format!("response-{name}")) {
            set(&mut reply, name, value);
        }
    }
    set(&mut reply, "etag", &quoted(&object.etag));
    set(&mut reply, "last-modified", &http_date(object.modified));
    set(&mut reply, "accept-ranges", "bytes");
    // A checksum of the whole would not fit a part.
    if let Some(checksum) = object.checksum.as_ref().filter(|_| span.is_none())
        && request
            .header("x-amz-checksum-mode")
            .is_some_and(|mode| mode.eq_ignore_ascii_case("enabled"))
    {
        set(&mut reply, &checksum.header, &checksum.value);
        set(&mut reply, "x-amz-checksum-type", "FULL_OBJECT");
    }
    if let Some(span) = &span {
        let last = span.from + span.length - 1;
        set(
            &mut reply,
            "content-range",
            &format!("bytes {}-{last}/{}", span.from, object.size),
        );
    }
    Ok((
        reply,
        span.unwrap_or(Span {
            from: 0,
            length: object.size,
        }),
        file,
    ))
}

/// `bytes=0-9`, `bytes=10-` and `bytes=-5`; anything else is ignored, as RFC 9110 wants (section 14.2).
fn part(range: &str, size: u64) -> Result<Option<Span>, S3Error> {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let (from, to) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(from), Ok(to)) if from <= to => (from, to.min(size.saturating_sub(1))),
        (Ok(from), Err(_)) if last.is_empty() => (from, size.saturating_sub(1)),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => (size.saturating_sub(suffix), size.saturating_sub(1)),
        (Ok(_) | Err(_), _) => return Ok(None),
    };
    if from >= size {
        let message = "The requested range is not satisfiable";
        return Err(S3Error::new(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange", message));
    }
    Ok(Some(Span {
        from,
        length: to - from + 1,
    }))
}

pub(crate) fn kept_headers(request: &Request<'_>) -> Result<BTreeMap<String, String>, S3Error> {
    let mut kept = BTreeMap::new();
    for (name, value) in &request.call.parts.headers {
        let name = name.as_str();
        if !KEPT.contains(&name) && !name.starts_with("x-amz-meta-") {
            continue;
        }
        // Header values are bytes; S3 keeps UTF-8 as it came.
        let value = std::str::from_utf8(value.as_bytes())
            .map_err(|_| S3Error::invalid("InvalidArgument", format!("The header {name} is not UTF-8")))?;
        let value = if name == "content-encoding" {
            without_chunking(value)
        } else {
            value.to_owned()
        };
        if !value.is_empty() {
            kept.insert(name.to_owned(), value);
        }
    }
    let metadata: usize = kept
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-meta-"))
        .map(|(name, value)| name.len() + value.len())
        .sum();
    if metadata > 2048 + 11 * kept.len() {
        return Err(S3Error::invalid(
            "MetadataTooLarge",
            "Your metadata headers exceed the maximum of 2 KB",
        ));
    }
    Ok(kept)
}

/// `aws-chunked` describes the request, not the object.
fn without_chunking(encodings: &str) -> String {
    let kept: Vec<&str> = encodings
        .split(',')
        .map(str::trim)
        .filter(|encoding| *encoding != "aws-chunked")
        .collect();
    kept.join(",")
}

pub(crate) fn quoted(etag: &str) -> String {
    format!("\"{etag}\"")
}

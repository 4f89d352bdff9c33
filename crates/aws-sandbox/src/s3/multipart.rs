//! Multipart uploads: parts in files of their own until they are put together (Amazon S3 User Guide, "Multipart upload").

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use bytes::Bytes;
use http::StatusCode;

use super::answer::{document, empty, iso_date, set};
use super::body::Element;
use super::checksum;
use super::condition::{Expected, unquoted};
use super::disk;
use super::error::S3Error;
use super::object::{kept_headers, quoted};
use super::request::Request;
use super::store::{At as _, Bucket, Object, Store, Upload, UploadAbout, now};
use crate::front::call::Reply;

/// Every part but the last has at least this many bytes.
const SMALLEST_PART: u64 = 5 * 1024 * 1024;

/// Amazon S3 API Reference, `ListParts`: `max-parts`.
const PAGE: usize = 1000;

pub(crate) fn create(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (name, key) = request.object()?;
    let about = UploadAbout {
        key: key.as_str().to_owned(),
        started: now(),
        headers: kept_headers(request)?,
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let mut buckets = store.buckets();
    let bucket = buckets.at(&request.call.region, name)?;
    let folder = store.disk().upload(name.as_str(), &id);
    let write = || {
        fs::create_dir(&folder)?;
        store.disk().draft(&about, [])?.publish(&folder.join("upload.json"))
    };
    write().map_err(|cause| S3Error::storage(&cause))?;
    bucket.uploads.insert(
        id.clone(),
        Upload {
            about,
            parts: BTreeMap::new(),
        },
    );
    Ok(document("InitiateMultipartUploadResult", |xml| {
        xml.text("Bucket", name.as_str());
        xml.text("Key", key.as_str());
        xml.text("UploadId", &id);
    }))
}

pub(crate) fn upload_part(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (name, _) = request.object()?;
    let Some(number @ 1..=10_000) = request.number("partNumber")? else {
        let message = "Part number must be an integer between 1 and 10000, inclusive";
        return Err(S3Error::invalid("InvalidArgument", message));
    };
    let number = u16::try_from(number).unwrap_or(u16::MAX);
    let data = &request.payload.data;
    let part = Object {
        key: number.to_string(),
        size: data.len() as u64,
        etag: checksum::etag(data),
        modified: now(),
        headers: BTreeMap::new(),
        checksum: request.payload.checksum.clone(),
    };
    let draft = store
        .disk()
        .draft(&part, [Ok(data.clone())])
        .map_err(|cause| S3Error::storage(&cause))?;
    let mut buckets = store.buckets();
    let id = upload_id(buckets.at_ref(&request.call.region, name)?, request)?;
    let upload = buckets
        .at(&request.call.region, name)?
        .uploads
        .get_mut(&id)
        .ok_or_else(S3Error::no_such_upload)?;
    let place = store.disk().upload(name.as_str(), &id).join(number.to_string());
    draft.publish(&place).map_err(|cause| S3Error::storage(&cause))?;
    let mut reply = empty(StatusCode::OK);
    set(&mut reply, "etag", &quoted(&part.etag));
    if let Some(checksum) = &part.checksum {
        set(&mut reply, &checksum.header, &checksum.value);
    }
    upload.parts.insert(number, part);
    Ok(reply)
}

pub(crate) fn complete(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (name, key) = request.object()?;
    let region = &request.call.region;
    let (id, about, parts) = chosen(store, request)?;
    let size = parts.iter().map(|(_, part)| part.size).sum();
    let digests: Vec<u8> = parts
        .iter()
        .flat_map(|(_, part)| hex::decode(&part.etag).unwrap_or_default())
        .collect();
    let object = Object {
        key: key.as_str().to_owned(),
        size,
        etag: format!("{}-{}", checksum::etag(&digests), parts.len()),
        modified: now(),
        headers: about.headers,
        checksum: None,
    };
    let folder = store.disk().upload(name.as_str(), &id);
    let data = parts
        .iter()
        .map(|(number, part)| part_data(&folder.join(number.to_string()), part));
    let expected = Expected::of_write(request)?;
    let draft = store
        .disk()
        .draft(&object, data)
        .map_err(|cause| S3Error::storage(&cause))?;
    let mut buckets = store.buckets();
    let bucket = buckets.at(region, name)?;
    if !bucket.uploads.contains_key(&id) {
        return Err(S3Error::no_such_upload());
    }
    expected.check_put(key.as_str(), bucket.objects.get(key.as_str()).map(AsRef::as_ref))?;
    let object = store.publish(bucket, name, object, draft)?;
    bucket.uploads.remove(&id);
    fs::remove_dir_all(&folder).map_err(|cause| S3Error::storage(&cause))?;
    Ok(document("CompleteMultipartUploadResult", |xml| {
        xml.text("Location", request.call.parts.uri.path());
        xml.text("Bucket", name.as_str());
        xml.text("Key", key.as_str());
        xml.text("ETag", quoted(&object.etag));
    }))
}

pub(crate) fn abort(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (name, _) = request.object()?;
    let mut buckets = store.buckets();
    let bucket = buckets.at(&request.call.region, name)?;
    let id = upload_id(bucket, request)?;
    fs::remove_dir_all(store.disk().upload(name.as_str(), &id)).map_err(|cause| S3Error::storage(&cause))?;
    bucket.uploads.remove(&id);
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(crate) fn list_parts(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let (name, key) = request.object()?;
    let buckets = store.buckets();
    let bucket = buckets.at_ref(&request.call.region, name)?;
    let id = upload_id(bucket, request)?;
    let upload = bucket.uploads.get(&id).ok_or_else(S3Error::no_such_upload)?;
    let limit = request.number("max-parts")?.unwrap_or(PAGE).clamp(1, PAGE);
    let marker = request.number("part-number-marker")?.unwrap_or(0);
    let mut following = upload.parts.iter().filter(|(number, _)| usize::from(**number) > marker);
    let page: Vec<_> = following.by_ref().take(limit).collect();
    Ok(document("ListPartsResult", |xml| {
        xml.text("Bucket", name.as_str());
        xml.text("Key", key.as_str());
        xml.text("UploadId", &id);
        for who in ["Initiator", "Owner"] {
            xml.element(who, |xml| {
                xml.text("ID", &request.call.account);
                xml.text("DisplayName", &request.call.account);
            });
        }
        xml.text("StorageClass", "STANDARD");
        xml.text("PartNumberMarker", marker);
        xml.text(
            "NextPartNumberMarker",
            page.last().map_or(marker, |(number, _)| usize::from(**number)),
        );
        xml.text("MaxParts", limit);
        xml.text("IsTruncated", following.next().is_some());
        for (number, part) in page {
            xml.element("Part", |xml| {
                xml.text("PartNumber", number);
                xml.text("LastModified", iso_date(part.modified));
                xml.text("ETag", quoted(&part.etag));
                xml.text("Size", part.size);
            });
        }
    }))
}

pub(crate) fn list(store: &Store, request: &Request<'_>) -> Result<Reply, S3Error> {
    let name = request.bucket()?;
    let buckets = store.buckets();
    let bucket = buckets.at_ref(&request.call.region, name)?;
    Ok(document("ListMultipartUploadsResult", |xml| {
        xml.text("Bucket", name.as_str());
        xml.text("IsTruncated", false);
        for (id, upload) in &bucket.uploads {
            xml.element("Upload", |xml| {
                xml.text("Key", &upload.about.key);
                xml.text("UploadId", id);
                xml.text("Initiated", iso_date(upload.about.started));
            });
        }
    }))
}

/// The upload that the request names, for the key that it names.
fn upload_id(bucket: &Bucket, request: &Request<'_>) -> Result<String, S3Error> {
    let (_, key) = request.object()?;
    let id = request.parameter("uploadId").unwrap_or_default();
    match bucket.uploads.get(id) {
        Some(upload) if upload.about.key == key.as_str() => Ok(id.to_owned()),
        Some(_) | None => Err(S3Error::no_such_upload()),
    }
}

type Chosen = (String, UploadAbout, Vec<(u16, Object)>);

/// The parts that the client lists, in its order, which must be theirs.
fn chosen(store: &Store, request: &Request<'_>) -> Result<Chosen, S3Error> {
    let (name, _) = request.object()?;
    let document_sent = Element::read(&request.payload.data)?;
    let buckets = store.buckets();
    let bucket = buckets.at_ref(&request.call.region, name)?;
    let id = upload_id(bucket, request)?;
    let upload = bucket.uploads.get(&id).ok_or_else(S3Error::no_such_upload)?;
    let mut parts: Vec<(u16, Object)> = Vec::new();
    for listed in document_sent.all("Part") {
        let number = listed
            .text("PartNumber")
            .and_then(|number| number.trim().parse::<u16>().ok());
        let etag = unquoted(listed.text("ETag").unwrap_or_default().trim());
        let part = number.and_then(|number| Some((number, upload.parts.get(&number)?)));
        let Some((number, part)) = part.filter(|(_, part)| part.etag == etag) else {
            let message = "One or more of the specified parts could not be found or its entity tag did not match";
            return Err(S3Error::invalid("InvalidPart", message));
        };
        if parts.last().is_some_and(|(last, _)| *last >= number) {
            return Err(S3Error::invalid(
                "InvalidPartOrder",
                "The list of parts was not in ascending order",
            ));
        }
        parts.push((number, part.clone()));
    }
    let Some((_, all_but_last)) = parts.split_last() else {
        return Err(S3Error::invalid("MalformedXML", "An upload needs at least one part"));
    };
    if all_but_last.iter().any(|(_, part)| part.size < SMALLEST_PART) {
        let message = "Your proposed upload is smaller than the minimum allowed size of 5 MiB a part";
        return Err(S3Error::invalid("EntityTooSmall", message));
    }
    Ok((id, upload.about.clone(), parts))
}

fn part_data(path: &Path, part: &Object) -> io::Result<Bytes> {
    let (_, file) = disk::read::<Object>(path)?;
    disk::slice(file, 0, part.size)
}

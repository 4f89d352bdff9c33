//! What an S3 request addresses: bucket and key from the path or the host name, the query, the payload without its framing.

use std::collections::BTreeMap;

use http::{Method, StatusCode};
use url::form_urlencoded;

use super::body::Payload;
use super::error::S3Error;
use crate::front::call::Call;

/// One request, its names checked and its body read.
pub(crate) struct Request<'a> {
    pub(crate) call: &'a Call,
    pub(crate) target: Target,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) payload: Payload,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    Service,
    Bucket(BucketName),
    Object(BucketName, Key),
}

/// A name that follows S3's rules, and is therefore safe as the name of a folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BucketName(String);

/// Any text of 1 to 1024 bytes. Never part of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(String);

impl<'a> Request<'a> {
    pub(crate) fn read(call: &'a Call) -> Result<Self, S3Error> {
        let (target, query) = addressed(&call.parts)?;
        Ok(Self {
            call,
            target,
            query,
            payload: Payload::read(call)?,
        })
    }

    pub(crate) fn method(&self) -> &Method {
        &self.call.parts.method
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.call.parts.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<usize>, S3Error> {
        let Some(text) = self.parameter(name) else {
            return Ok(None);
        };
        let parsed = text.parse().map_err(|_| {
            S3Error::invalid(
                "InvalidArgument",
                format!("{name} must be a number, and `{text}` is none"),
            )
        });
        parsed.map(Some)
    }

    pub(crate) fn bucket(&self) -> Result<&BucketName, S3Error> {
        match &self.target {
            Target::Bucket(bucket) | Target::Object(bucket, _) => Ok(bucket),
            Target::Service => Err(S3Error::invalid("InvalidRequest", "the request names no bucket")),
        }
    }

    pub(crate) fn object(&self) -> Result<(&BucketName, &Key), S3Error> {
        match &self.target {
            Target::Object(bucket, key) => Ok((bucket, key)),
            Target::Bucket(_) | Target::Service => Err(S3Error::invalid("InvalidRequest", "the request names no key")),
        }
    }
}

/// Bucket, key and query of a request whose body nobody has looked at.
pub(crate) fn addressed(parts: &http::request::Parts) -> Result<(Target, BTreeMap<String, String>), S3Error> {
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
        .into_owned()
        .collect();
    let path = decode(parts.uri.path())?;
    let path = path.strip_prefix('/').unwrap_or(&path);
    let (bucket, key) = match bucket_of_host(parts) {
        Some(bucket) => (bucket, path),
        None => path.split_once('/').unwrap_or((path, "")),
    };
    let target = match (bucket, key) {
        ("", _) => Target::Service,
        (bucket, "") => Target::Bucket(bucket_name(bucket)?),
        (bucket, key) => Target::Object(bucket_name(bucket)?, self::key(key)?),
    };
    Ok((target, query))
}

/// Amazon S3 User Guide, "General purpose bucket naming rules".
pub(crate) fn bucket_name(name: &str) -> Result<BucketName, S3Error> {
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let valid = (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(byte))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..");
    if valid {
        Ok(BucketName(name.to_owned()))
    } else {
        Err(S3Error::invalid(
            "InvalidBucketName",
            format!("The specified bucket is not valid: {name}"),
        ))
    }
}

pub(crate) fn key(key: &str) -> Result<Key, S3Error> {
    if key.len() <= 1024 {
        Ok(Key(key.to_owned()))
    } else {
        Err(S3Error::invalid(
            "KeyTooLongError",
            "Your key is longer than 1024 bytes",
        ))
    }
}

/// Percent-decoding of a path; a plus sign is a plus sign here.
pub(crate) fn decode(path: &str) -> Result<String, S3Error> {
    let malformed = || {
        S3Error::new(
            StatusCode::BAD_REQUEST,
            "InvalidURI",
            "Could not parse the specified URI",
        )
    };
    let bytes = path.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        if *byte == b'%' {
            let escape = path.get(at + 1..at + 3).ok_or_else(malformed)?;
            decoded.push(u8::from_str_radix(escape, 16).map_err(|_| malformed())?);
            at += 3;
        } else {
            decoded.push(*byte);
            at += 1;
        }
    }
    String::from_utf8(decoded).map_err(|_| malformed())
}

/// `bucket.s3.eu-central-1.amazonaws.com` and `bucket.localhost` name their bucket; an address and a bare host do not.
fn bucket_of_host(parts: &http::request::Parts) -> Option<&str> {
    let host = parts.headers.get(http::header::HOST)?.to_str().ok()?;
    let host = host.split(':').next()?;
    if let Some(bucket) = host.strip_suffix(".localhost") {
        return Some(bucket.strip_suffix(".s3").unwrap_or(bucket)).filter(|bucket| *bucket != "s3");
    }
    let service = host.strip_suffix(".amazonaws.com")?;
    [".s3.", ".s3-"]
        .iter()
        .find_map(|mark| service.rfind(mark).map(|at| &service[..at]))
        .or(service.strip_suffix(".s3"))
}

impl BucketName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(uri: &str, host: &str) -> Result<Target, S3Error> {
        let (parts, ()) = http::Request::builder()
            .uri(uri)
            .header("host", host)
            .body(())
            .unwrap()
            .into_parts();
        addressed(&parts).map(|(target, _)| target)
    }

    fn object(bucket: &str, key: &str) -> Target {
        Target::Object(BucketName(bucket.into()), Key(key.into()))
    }

    #[test]
    fn bucket_and_key_come_from_the_path_or_from_the_host() {
        assert_eq!(target("/", "127.0.0.1:4566").unwrap(), Target::Service);
        assert_eq!(
            target("/my-bucket", "127.0.0.1:4566").unwrap(),
            Target::Bucket(BucketName("my-bucket".into()))
        );
        assert_eq!(
            target("/my-bucket/", "127.0.0.1").unwrap(),
            Target::Bucket(BucketName("my-bucket".into()))
        );
        assert_eq!(
            target("/my-bucket/a%2Fb/c+d%20e", "127.0.0.1").unwrap(),
            object("my-bucket", "a/b/c+d e")
        );
        assert_eq!(
            target("/a/b", "my-bucket.localhost:4566").unwrap(),
            object("my-bucket", "a/b")
        );
        assert_eq!(
            target("/a", "my.bucket.s3.eu-west-1.amazonaws.com").unwrap(),
            object("my.bucket", "a")
        );
        assert_eq!(
            target("/my-bucket/a", "localhost:4566").unwrap(),
            object("my-bucket", "a")
        );
    }

    #[test]
    fn hostile_names_are_refused_and_hostile_keys_are_only_text() {
        for name in ["..", ".hidden", "a", "UPPER", "dots..dots", "-dash", "%2e%2e", "a/../b"] {
            assert_eq!(bucket_name(name).unwrap_err().code(), "InvalidBucketName", "{name}");
        }
        assert_eq!(
            target("/my-bucket/../../etc/passwd", "127.0.0.1").unwrap(),
            object("my-bucket", "../../etc/passwd")
        );
        assert_eq!(target("/my-bucket/%ff", "127.0.0.1").unwrap_err().code(), "InvalidURI");
        assert_eq!(target("/my-bucket/%zz", "127.0.0.1").unwrap_err().code(), "InvalidURI");
        let long = format!("/my-bucket/{}", "k".repeat(1025));
        assert_eq!(target(&long, "127.0.0.1").unwrap_err().code(), "KeyTooLongError");
    }
}

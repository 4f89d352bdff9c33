//! The HTTP side: which part of the protocol a request is for (OCI Distribution Specification, "Endpoints").

mod blobs;
mod manifests;
mod tags;
mod uploads;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Body;

use super::digest::Digest;
use super::error::Refusal;
use super::name::Repository;
use super::{Answer, Registry};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// What a path under `/v2/` names.
#[derive(Debug, PartialEq, Eq)]
enum Address<'a> {
    Base,
    Catalog,
    Tags(&'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Uploads(&'a str),
    Upload(&'a str, &'a str),
}

impl Registry {
    /// Carries out one request. The body is read as it arrives.
    pub(crate) async fn answer<B>(&self, parts: Parts, body: B) -> Answer
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let mut answer = self
            .route(&parts, body)
            .await
            .unwrap_or_else(|refusal| refusal.answer());
        let version = HeaderValue::from_static("registry/2.0");
        answer.headers_mut().insert("docker-distribution-api-version", version);
        answer
    }

    async fn route<B>(&self, parts: &Parts, body: B) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let address = address(parts.uri.path()).ok_or(Refusal::NoSuchAddress)?;
        match (&parts.method, address) {
            (&Method::GET | &Method::HEAD, Address::Base) => Ok(json(&serde_json::json!({}))),
            (&Method::GET, Address::Catalog) => self.catalog(),
            (&Method::GET, Address::Tags(name)) => self.tags(&name.parse()?, parts),
            (&Method::GET | &Method::HEAD, Address::Manifest(name, reference)) => {
                self.manifest(&name.parse()?, &reference.parse()?, parts)
            }
            (&Method::PUT, Address::Manifest(name, reference)) => {
                self.put_manifest(&name.parse()?, &reference.parse()?, parts, body)
                    .await
            }
            (&Method::DELETE, Address::Manifest(name, reference)) => {
                self.delete_manifest(&name.parse()?, &reference.parse()?)
            }
            (&Method::GET | &Method::HEAD, Address::Blob(name, digest)) => {
                self.blob(&name.parse()?, &digest.parse()?, parts).await
            }
            (&Method::DELETE, Address::Blob(name, digest)) => self.delete_blob(&name.parse()?, &digest.parse()?),
            (&Method::POST, Address::Uploads(name)) => self.begin_upload(&name.parse()?, parts, body).await,
            (&Method::PATCH, Address::Upload(name, id)) => self.add_chunk(&self.upload(name, id)?, parts, body).await,
            (&Method::PUT, Address::Upload(name, id)) => self.finish_upload(&self.upload(name, id)?, parts, body).await,
            (&Method::GET, Address::Upload(name, id)) => self.upload(name, id)?.report(),
            (&Method::DELETE, Address::Upload(name, id)) => self.upload(name, id)?.cancel(),
            _ => Err(Refusal::Unsupported),
        }
    }

    /// A repository that must be there.
    fn known(&self, repository: &Repository) -> Result<super::layout::Layout, Refusal> {
        let layout = self.layout(repository);
        if layout.exists() {
            Ok(layout)
        } else {
            Err(Refusal::NameUnknown(repository.to_string()))
        }
    }
}

/// Repository names have slashes themselves, so the fixed words are looked for from the end.
fn address(path: &str) -> Option<Address<'_>> {
    let path = path.strip_prefix("/v2")?;
    let path = match path.strip_prefix('/') {
        None if path.is_empty() => return Some(Address::Base),
        None => return None,
        Some("") => return Some(Address::Base),
        Some("_catalog") => return Some(Address::Catalog),
        Some(path) => path,
    };
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some(Address::Tags(name));
    }
    if let Some(name) = path
        .strip_suffix("/blobs/uploads/")
        .or_else(|| path.strip_suffix("/blobs/uploads"))
    {
        return Some(Address::Uploads(name));
    }
    let (before, last) = path.rsplit_once('/')?;
    if let Some(name) = before.strip_suffix("/manifests") {
        return Some(Address::Manifest(name, last));
    }
    if let Some(name) = before.strip_suffix("/blobs/uploads") {
        return Some(Address::Upload(name, last));
    }
    before.strip_suffix("/blobs").map(|name| Address::Blob(name, last))
}

/// A parameter of the URI's query.
fn parameter(parts: &Parts, name: &str) -> Option<String> {
    let query = parts.uri.query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.into_owned())
}

fn json(value: &serde_json::Value) -> Answer {
    with_body(StatusCode::OK, "application/json", Bytes::from(value.to_string()))
}

fn with_body(status: StatusCode, content_type: &str, body: Bytes) -> Answer {
    let mut answer = empty(status);
    set(&mut answer, header::CONTENT_TYPE, content_type);
    *answer.body_mut() = Full::new(body).map_err(|never| match never {}).boxed();
    answer
}

fn empty(status: StatusCode) -> Answer {
    let mut answer = Response::new(Full::default().map_err(|never| match never {}).boxed());
    *answer.status_mut() = status;
    answer
}

/// A content was stored: where, and under which digest.
fn stored(location: &str, digest: &Digest) -> Answer {
    let mut answer = empty(StatusCode::CREATED);
    set(&mut answer, header::LOCATION, location);
    set(&mut answer, CONTENT_DIGEST, &digest.to_string());
    answer
}

fn set(answer: &mut Answer, name: HeaderName, value: &str) {
    // What is set here was parsed or made here; a value that is no header value anyway is left out.
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("/v2", Some(Address::Base)),
            ("/v2/", Some(Address::Base)),
            ("/v2/_catalog", Some(Address::Catalog)),
            ("/v2/a/b/tags/list", Some(Address::Tags("a/b"))),
            ("/v2/a/manifests/latest", Some(Address::Manifest("a", "latest"))),
            (
                "/v2/a/manifests/manifests/x",
                Some(Address::Manifest("a/manifests", "x")),
            ),
            ("/v2/a/blobs/sha256:0", Some(Address::Blob("a", "sha256:0"))),
            ("/v2/a/blobs/uploads/", Some(Address::Uploads("a"))),
            ("/v2/a/blobs/uploads", Some(Address::Uploads("a"))),
            ("/v2/a/blobs/uploads/id", Some(Address::Upload("a", "id"))),
            ("/v2x", None),
            ("/v2/a", None),
            ("/v2/a/b/c", None),
        ];
        for (path, expected) in table {
            assert_eq!(address(path), expected, "{path}");
        }
    }
}

//! Manifests: found by tag or digest, taken only when everything they name is here.

use bytes::Bytes;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Body;

use super::super::digest::Digest;
use super::super::error::Refusal;
use super::super::layout::Layout;
use super::super::manifest::{Document, Index, is_index, own_media_type};
use super::super::name::{Reference, Repository};
use super::super::{Answer, Registry};
use super::{CONTENT_DIGEST, empty, set, stored, with_body};

/// "A registry SHOULD enforce some limit … at least 4 megabytes" (OCI Distribution Specification, "Pushing Manifests").
const LARGEST: usize = 4 * 1024 * 1024;

impl Registry {
    pub(super) fn manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
        parts: &Parts,
    ) -> Result<Answer, Refusal> {
        let layout = self.known(repository)?;
        let unknown = || Refusal::ManifestUnknown(format!("{repository} {reference}"));
        let mut found = layout.find(reference)?.ok_or_else(unknown)?;
        let mut bytes = layout.read(&found.digest)?;
        if is_index(&found.media_type) && !accepts_indexes(parts) {
            // A client that knows single images only gets the one for this machine.
            let index: Index = serde_json::from_slice(&bytes).map_err(std::io::Error::other)?;
            found = index.for_this_machine().cloned().ok_or_else(unknown)?;
            bytes = layout.read(&found.digest)?;
        }
        let length = bytes.len();
        let body = if parts.method == Method::HEAD {
            Bytes::new()
        } else {
            Bytes::from(bytes)
        };
        let mut answer = with_body(StatusCode::OK, &found.media_type, body);
        set(&mut answer, header::CONTENT_LENGTH, &length.to_string());
        set(&mut answer, CONTENT_DIGEST, &found.digest.to_string());
        Ok(answer)
    }

    pub(super) async fn put_manifest<B>(
        &self,
        repository: &Repository,
        reference: &Reference,
        parts: &Parts,
        body: B,
    ) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send + Unpin,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let bytes = match Limited::new(body, LARGEST).collect().await {
            Ok(bytes) => bytes.to_bytes(),
            Err(cause) if cause.is::<http_body_util::LengthLimitError>() => {
                return Err(Refusal::ManifestTooLarge(LARGEST));
            }
            Err(cause) => return Err(Refusal::BrokeOff(cause.to_string())),
        };
        let found = Digest::of(&bytes);
        if let Reference::Digest(promised) = reference
            && *promised != found
        {
            return Err(Refusal::WrongDigest {
                promised: promised.clone(),
                found,
            });
        }
        let layout = self.layout(repository);
        let media_type = media_type(parts, &bytes);
        let document = Document::parse(&media_type, &bytes).map_err(Refusal::BadManifest)?;
        if let Some(missing) = missing(&document, &layout) {
            return Err(Refusal::ManifestBlobUnknown(missing));
        }
        let tag = match reference {
            Reference::Tag(tag) => Some(tag.as_str()),
            Reference::Digest(_) => None,
        };
        layout.create()?;
        layout.write(&found, &bytes)?;
        self.listing(|| layout.list(&media_type, &found, bytes.len() as u64, tag))?;
        Ok(stored(&format!("/v2/{repository}/manifests/{found}"), &found))
    }

    pub(super) fn delete_manifest(&self, repository: &Repository, reference: &Reference) -> Result<Answer, Refusal> {
        let layout = self.known(repository)?;
        self.listing(|| layout.forget(reference))?
            .ok_or_else(|| Refusal::ManifestUnknown(format!("{repository} {reference}")))?;
        Ok(empty(StatusCode::ACCEPTED))
    }
}

/// What the push says, or else the document itself.
fn media_type(parts: &Parts, bytes: &[u8]) -> String {
    let said = parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    said.and_then(|said| said.split(';').next())
        .map(|said| said.trim().to_owned())
        .filter(|said| said.starts_with("application/vnd."))
        .or_else(|| own_media_type(bytes))
        .unwrap_or_default()
}

/// The first content a manifest names that is not in its repository.
fn missing(document: &Document, layout: &Layout) -> Option<Digest> {
    let named = match document {
        Document::Image(image) => std::iter::once(&image.config).chain(&image.layers).collect::<Vec<_>>(),
        Document::Index(index) => index.manifests.iter().collect(),
    };
    named
        .into_iter()
        .map(|descriptor| &descriptor.digest)
        .find(|digest| !layout.blob(digest).is_file())
        .cloned()
}

/// Whether the client takes an index. One that says nothing takes everything.
fn accepts_indexes(parts: &Parts) -> bool {
    let mut accepted = parts
        .headers
        .get_all(header::ACCEPT)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|kind| kind.split(';').next())
        .map(str::trim)
        .peekable();
    accepted.peek().is_none() || accepted.any(|kind| is_index(kind) || matches!(kind, "*/*" | "application/*"))
}

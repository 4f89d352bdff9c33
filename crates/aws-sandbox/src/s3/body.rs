//! The payload of a request: the `aws-chunked` framing taken off, checksums verified, and XML documents read.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;

use super::checksum::{self, Checksum};
use super::error::S3Error;
use crate::front::call::Call;

/// What the client meant to send.
#[derive(Debug)]
pub(crate) struct Payload {
    pub(crate) data: Bytes,
    /// Verified; the last one when several were sent.
    pub(crate) checksum: Option<Checksum>,
}

impl Payload {
    pub(crate) fn read(call: &Call) -> Result<Self, S3Error> {
        let header = |name: &str| call.parts.headers.get(name).and_then(|value| value.to_str().ok());
        let sha256 = header("x-amz-content-sha256");
        let encoded = header("content-encoding").is_some_and(|encodings| encodings.contains("aws-chunked"));
        let framed = encoded || sha256.is_some_and(|value| value.starts_with("STREAMING-"));
        let (data, mut sums) = if framed {
            unframe(&call.body)?
        } else {
            (call.body.clone(), Vec::new())
        };
        if let Some(length) = header("x-amz-decoded-content-length").filter(|_| framed)
            && length.parse() != Ok(data.len())
        {
            let message = format!("{length} bytes were announced and {} came", data.len());
            return Err(S3Error::invalid("IncompleteBody", message));
        }
        sums.extend(
            checksum::HEADERS
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), header(name)?.to_owned()))),
        );
        let mut verified = None;
        // On CompleteMultipartUpload the header is the sum of the whole object, which is not in this body.
        let completes = call.parts.method == http::Method::POST
            && call.parts.uri.query().is_some_and(|query| query.contains("uploadId="));
        if !completes {
            for (name, value) in &sums {
                verified = Some(checksum::verify(name, value, &data)?);
            }
        }
        if let Some(digest) = header("content-md5")
            && BASE64_STANDARD.encode(checksum::md5(&data)) != digest
        {
            return Err(S3Error::invalid(
                "BadDigest",
                "The Content-MD5 you specified did not match what we received",
            ));
        }
        if let Some(digest) = sha256.filter(|digest| digest.len() == 64 && !framed)
            && hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&data)) != digest
        {
            let message = "The provided 'x-amz-content-sha256' header does not match what was computed";
            return Err(S3Error::invalid("XAmzContentSHA256Mismatch", message));
        }
        Ok(Self {
            data,
            checksum: verified,
        })
    }
}

type Trailers = Vec<(String, String)>;

/// Amazon S3 API Reference, "Signature calculations: transferring payload in multiple chunks", and the trailers behind the last chunk.
fn unframe(body: &Bytes) -> Result<(Bytes, Trailers), S3Error> {
    let malformed = || S3Error::invalid("IncompleteBody", "The aws-chunked body is malformed or ends too early");
    let mut data = BytesMut::with_capacity(body.len());
    let mut rest: &[u8] = body;
    loop {
        let head = line(&mut rest).ok_or_else(malformed)?;
        let size = head.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed())?;
        if size == 0 {
            break;
        }
        let (chunk, after) = rest.split_at_checked(size).ok_or_else(malformed)?;
        data.extend_from_slice(chunk);
        rest = after.strip_prefix(b"\r\n").ok_or_else(malformed)?;
    }
    let mut trailers = Vec::new();
    while let Some(trailer) = line(&mut rest).filter(|trailer| !trailer.is_empty()) {
        let (name, value) = trailer.split_once(':').ok_or_else(malformed)?;
        let name = name.trim().to_ascii_lowercase();
        if checksum::HEADERS.contains(&name.as_str()) {
            trailers.push((name, value.trim().to_owned()));
        }
    }
    Ok((data.freeze(), trailers))
}

/// The next line, without its end; the last one may lack it.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    if rest.is_empty() {
        return None;
    }
    let end = rest.windows(2).position(|pair| pair == b"\r\n");
    let (line, after) = match end {
        Some(end) => (&rest[..end], &rest[end + 2..]),
        None => (*rest, &rest[rest.len()..]),
    };
    *rest = after;
    std::str::from_utf8(line).ok()
}

/// One element of an XML request.
#[derive(Debug, Default)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub(crate) fn read(document: &[u8]) -> Result<Self, S3Error> {
        let malformed = || S3Error::invalid("MalformedXML", "The XML you provided was not well-formed");
        let mut reader = Reader::from_reader(document);
        let mut open = vec![Self::default()];
        loop {
            match reader.read_event().map_err(|_| malformed())? {
                Event::Start(tag) => open.push(Self::named(tag.local_name().as_ref())),
                Event::Empty(tag) => open
                    .last_mut()
                    .ok_or_else(malformed)?
                    .children
                    .push(Self::named(tag.local_name().as_ref())),
                Event::End(_) => {
                    let done = open.pop().ok_or_else(malformed)?;
                    open.last_mut().ok_or_else(malformed)?.children.push(done);
                }
                Event::Text(text) => {
                    let text = text.decode().map_err(|_| malformed())?;
                    open.last_mut().ok_or_else(malformed)?.text.push_str(&text);
                }
                Event::CData(text) => {
                    let text = text.decode().map_err(|_| malformed())?;
                    open.last_mut().ok_or_else(malformed)?.text.push_str(&text);
                }
                Event::GeneralRef(reference) => {
                    let text = &mut open.last_mut().ok_or_else(malformed)?.text;
                    if let Some(character) = reference.resolve_char_ref().map_err(|_| malformed())? {
                        text.push(character);
                    } else {
                        let name = reference.decode().map_err(|_| malformed())?;
                        text.push_str(resolve_predefined_entity(&name).ok_or_else(malformed)?);
                    }
                }
                Event::Eof => break,
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
            }
        }
        let [document] = open.as_mut_slice() else {
            return Err(malformed());
        };
        document.children.pop().ok_or_else(malformed)
    }

    fn named(name: &[u8]) -> Self {
        Self {
            name: String::from_utf8_lossy(name).into_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .find(|child| child.name == name)
            .map(|child| child.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_joined_and_trailers_kept() {
        let body = Bytes::from_static(
            b"4;chunk-signature=00\r\nwiki\r\n5\r\npedia\r\n0\r\nx-amz-checksum-crc32:abc=\r\nx-other:1\r\n\r\n",
        );
        let (data, trailers) = unframe(&body).unwrap();
        assert_eq!(data, "wikipedia");
        assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "abc=".to_owned())]);
    }

    #[test]
    fn a_body_that_ends_too_early_is_refused() {
        for body in ["", "5\r\nped", "5\r\npediaX", "zz\r\n", "ffffffffffffffff\r\n"] {
            assert_eq!(
                unframe(&Bytes::from(body)).unwrap_err().code(),
                "IncompleteBody",
                "{body}"
            );
        }
    }

    #[test]
    fn xml_is_read_with_its_entities() {
        let document = Element::read(
            b"<?xml version=\"1.0\"?><Delete xmlns=\"urn:x\"><Object><Key>a &lt;&#38;&gt; b</Key></Object><Object><Key>c</Key></Object><Quiet/></Delete>",
        )
        .unwrap();
        let keys: Vec<_> = document.all("Object").filter_map(|object| object.text("Key")).collect();
        assert_eq!(keys, ["a <&> b", "c"]);
        assert_eq!(document.text("Quiet"), Some(""));
        assert!(Element::read(b"<a><b></a>").is_err());
        assert!(Element::read(b"").is_err());
    }
}

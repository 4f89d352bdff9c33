//! Contents by digest: whole or in part, as they are read from disk.

use std::ops::Range;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use http::request::Parts;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio_util::io::ReaderStream;

use super::super::digest::Digest;
use super::super::error::Refusal;
use super::super::name::Repository;
use super::super::{Answer, Registry};
use super::{CONTENT_DIGEST, empty, set, with_body};

const PIECE: usize = 256 * 1024;

impl Registry {
    pub(super) async fn blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        parts: &Parts,
    ) -> Result<Answer, Refusal> {
        let path = self.known(repository)?.blob(digest);
        let mut file = File::open(&path)
            .await
            .map_err(|_| Refusal::BlobUnknown(digest.clone()))?;
        let size = file.metadata().await?.len();
        let asked = parts.headers.get(header::RANGE).and_then(|range| range.to_str().ok());
        let range = match asked.map(|asked| range(asked, size)) {
            None => 0..size,
            Some(Some(range)) => range,
            Some(None) => {
                let mut answer = empty(StatusCode::RANGE_NOT_SATISFIABLE);
                set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{size}"));
                return Ok(answer);
            }
        };
        let status = if asked.is_some() {
            StatusCode::PARTIAL_CONTENT
        } else {
            StatusCode::OK
        };
        let mut answer = with_body(status, "application/octet-stream", Bytes::new());
        set(
            &mut answer,
            header::CONTENT_LENGTH,
            &(range.end - range.start).to_string(),
        );
        set(&mut answer, header::ACCEPT_RANGES, "bytes");
        set(&mut answer, CONTENT_DIGEST, &digest.to_string());
        if asked.is_some() {
            let last = range.end.saturating_sub(1);
            set(
                &mut answer,
                header::CONTENT_RANGE,
                &format!("bytes {}-{last}/{size}", range.start),
            );
        }
        if parts.method == Method::GET {
            file.seek(std::io::SeekFrom::Start(range.start)).await?;
            let pieces = ReaderStream::with_capacity(file.take(range.end - range.start), PIECE);
            *answer.body_mut() = StreamBody::new(pieces.map_ok(Frame::data)).boxed();
        }
        Ok(answer)
    }

    pub(super) fn delete_blob(&self, repository: &Repository, digest: &Digest) -> Result<Answer, Refusal> {
        let path = self.known(repository)?.blob(digest);
        std::fs::remove_file(path).map_err(|_| Refusal::BlobUnknown(digest.clone()))?;
        Ok(empty(StatusCode::ACCEPTED))
    }
}

/// `bytes=first-last`, `bytes=first-` or `bytes=-length` (RFC 9110, 14.1.2); nothing when it cannot be satisfied.
fn range(asked: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.is_empty() => first..size,
        (Err(_), Ok(length)) if first.is_empty() => size.saturating_sub(length)..size,
        (Ok(_) | Err(_), _) => return None,
    };
    (range.start < range.end).then_some(range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let table = [
            ("bytes=0-0", Some(0..1)),
            ("bytes=2-5", Some(2..6)),
            ("bytes=2-500", Some(2..10)),
            ("bytes=7-", Some(7..10)),
            ("bytes=-3", Some(7..10)),
            ("bytes=-30", Some(0..10)),
            ("bytes=10-", None),
            ("bytes=5-2", None),
            ("bytes=x-2", None),
            ("lines=1-2", None),
        ];
        for (asked, expected) in table {
            assert_eq!(range(asked, 10), expected, "{asked}");
        }
    }
}

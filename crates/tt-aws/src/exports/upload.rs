//! An object that is being sent, a piece at a time: memory holds one piece, however large the object becomes.
//!
//! Never gives an upload up: one that fails, or whose owner is interrupted, goes with the export (`S3Exports::remove`), which also finds
//! those of a process that was killed.

use std::mem;

use aws_sdk_s3::types::CompletedPart;
use bytes::Bytes;
use tt_execute::PortError;
use tt_export::{StoreError, Upload};

use super::{Object, wrapped};

/// The smallest that any but the last may be (Amazon S3 User Guide, "Amazon S3 multipart upload limits").
const PIECE: usize = 5 * 1024 * 1024;
/// There are at most 10,000 pieces, so they grow: by one [`PIECE`] after so many. That is room for 287 GB.
const GROWS_AFTER: usize = 1000;
/// What comes in one write beyond a full piece, usually.
const SLACK: usize = 512 * 1024;

/// An object that is being sent.
#[derive(Debug)]
pub struct Sending {
    object: Object,
    gathered: Vec<u8>,
    /// Once there was more than one piece.
    multipart: Option<Multipart>,
}

#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) id: String,
    pub(super) sent: Vec<CompletedPart>,
}

impl Sending {
    pub(super) fn new(object: Object) -> Self {
        Self {
            object,
            gathered: Vec::new(),
            multipart: None,
        }
    }

    async fn flush(&mut self) -> Result<(), PortError> {
        let piece = mem::take(&mut self.gathered);
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            None => self.multipart.insert(self.object.begin().await?),
        };
        self.object.send(multipart, piece).await
    }

    async fn complete(&mut self) -> Result<(), PortError> {
        if self.multipart.is_none() {
            return self.object.put(mem::take(&mut self.gathered)).await;
        }
        if !self.gathered.is_empty() {
            self.flush().await?;
        }
        match &self.multipart {
            Some(multipart) => self.object.join(multipart).await,
            None => Ok(()),
        }
    }
}

impl Upload for Sending {
    async fn write(&mut self, bytes: Bytes) -> Result<(), StoreError> {
        let sent = self.multipart.as_ref().map_or(0, |multipart| multipart.sent.len());
        let enough = piece(sent);
        if self.gathered.capacity() == 0 && sent > 0 {
            self.gathered.reserve_exact(enough + SLACK);
        }
        self.gathered.extend_from_slice(&bytes);
        if self.gathered.len() < enough {
            return Ok(());
        }
        self.flush().await.map_err(wrapped)
    }

    async fn finish(mut self) -> Result<(), StoreError> {
        self.complete().await.map_err(wrapped)
    }
}

/// How large the piece is that follows so many.
fn piece(sent: usize) -> usize {
    PIECE * (1 + sent / GROWS_AFTER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_thousand_pieces_hold_what_is_promised() {
        assert_eq!(piece(0), PIECE);
        let most: usize = (0..10_000).map(piece).sum();
        assert!(most > 287_000_000_000, "{most}");
        // Amazon S3 User Guide, "Amazon S3 multipart upload limits": 5 GiB a piece.
        assert!(piece(9_999) < 5 << 30);
    }
}

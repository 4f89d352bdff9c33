//! What is in a part, as it comes out of the store.

use bytes::Bytes;

use crate::error::ExportError;
use crate::gzip::Unpacker;
use crate::manifest::Part;
use crate::store::{Reading, Store};

/// Deflate packs at most a thousandfold (RFC 1951), so no more than 8 MB comes out of this.
const MOUTHFUL: usize = 8 * 1024;

/// A part, decompressed a piece at a time. The last piece comes only when the whole was what the manifest says.
pub(crate) struct Plain<'p, R> {
    part: &'p Part,
    object: R,
    packed: Bytes,
    unpacker: Option<Unpacker>,
}

impl<'p, R: Reading> Plain<'p, R> {
    pub(crate) async fn open<S: Store<Reading = R>>(store: &S, part: &'p Part) -> Result<Self, ExportError> {
        let object = store.open(&part.name).await;
        Ok(Self {
            part,
            object: object.map_err(ExportError::store(format!("read `{}`", part.name)))?,
            packed: Bytes::new(),
            unpacker: Some(Unpacker::new()),
        })
    }

    /// All of a part that is small.
    pub(crate) async fn text(mut self) -> Result<String, ExportError> {
        let mut text = Vec::new();
        while let Some(bytes) = self.next().await? {
            text.extend_from_slice(&bytes);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) async fn next(&mut self) -> Result<Option<Vec<u8>>, ExportError> {
        let name = &self.part.name;
        let decompressing = |cause| ExportError::Decompress {
            name: name.clone(),
            cause,
        };
        loop {
            if self.packed.is_empty() {
                let read = self.object.next().await;
                match read.map_err(ExportError::store(format!("read `{name}`")))? {
                    Some(bytes) => self.packed = bytes,
                    None => break,
                }
            }
            let piece = self.packed.split_to(self.packed.len().min(MOUTHFUL));
            if let Some(unpacker) = &mut self.unpacker {
                let plain = unpacker.push(&piece).map_err(decompressing)?;
                if !plain.is_empty() {
                    return Ok(Some(plain));
                }
            }
        }
        let Some(unpacker) = self.unpacker.take() else {
            return Ok(None);
        };
        let (rest, checked) = unpacker.finish(self.part).map_err(decompressing)?;
        checked.map_err(|what| ExportError::Damaged {
            name: name.clone(),
            what,
        })?;
        Ok(Some(rest))
    }
}

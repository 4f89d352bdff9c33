//! An object that is being received. A connection that breaks is opened again where it broke: a restore reads for hours, and S3 closes
//! connections as it likes.

use std::time::Duration;

use aws_sdk_s3::{operation::get_object::GetObjectOutput, primitives::ByteStream};
use bytes::Bytes;
use tt_execute::{PortError, PortErrorKind};
use tt_export::{Reading, StoreError};

use super::{Object, wrapped};
use crate::error::{absent, other};

/// So often in one object.
const TRIES: u32 = 5;
/// Before the first try, twice that before the second, and so on: a network that is away for some seconds does not end a restore.
const PAUSE: Duration = Duration::from_millis(400);

/// An object that is being received.
#[derive(Debug)]
pub struct Receiving {
    object: Object,
    /// The rest must be of the same object.
    etag: String,
    body: ByteStream,
    at: u64,
    tries: u32,
}

impl Receiving {
    pub(super) async fn open(object: Object) -> Result<Self, StoreError> {
        let got = object.get().await.map_err(wrapped)?.ok_or(StoreError::Absent)?;
        let etag = etag(&object, &got).map_err(wrapped)?;
        Ok(Self {
            object,
            etag,
            body: got.body,
            at: 0,
            tries: TRIES,
        })
    }

    /// All that is left of a small object.
    pub(super) async fn whole(&mut self) -> Result<Vec<u8>, PortError> {
        let mut text = Vec::new();
        while let Some(bytes) = self.piece().await? {
            text.extend_from_slice(&bytes);
        }
        Ok(text)
    }

    async fn piece(&mut self) -> Result<Option<Bytes>, PortError> {
        loop {
            match self.body.next().await {
                None => return Ok(None),
                Some(Ok(bytes)) => {
                    self.at += bytes.len() as u64;
                    return Ok(Some(bytes));
                }
                Some(Err(cause)) => {
                    let broken = other(
                        self.object.action("read"),
                        PortErrorKind::Unreachable,
                        cause.to_string(),
                    );
                    self.go_on(broken).await?;
                }
            }
        }
    }

    /// Opens the rest, or gives back what broke it.
    async fn go_on(&mut self, mut broken: PortError) -> Result<(), PortError> {
        while self.tries > 0 {
            self.tries -= 1;
            tokio::time::sleep(PAUSE * (TRIES - self.tries)).await;
            match self.object.get_from(self.at, &self.etag).await {
                Ok(got) => {
                    self.body = got.body;
                    return Ok(());
                }
                Err(error) if error.kind.passes() => broken = error,
                Err(error) => return Err(error),
            }
        }
        Err(broken)
    }
}

impl Reading for Receiving {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        self.piece().await.map_err(wrapped)
    }
}

fn etag(object: &Object, got: &GetObjectOutput) -> Result<String, PortError> {
    let etag = got.e_tag().ok_or_else(|| absent(&object.action("read"), "ETag"))?;
    Ok(etag.to_owned())
}

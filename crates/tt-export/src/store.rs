//! Where an export goes: objects by name that are there as a whole or not at all.

use std::future::Future;

use bytes::Bytes;

/// A store failed. The message says what the store was asked and what it answered.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object.
    #[error("there is no such object")]
    Absent,
    /// Anything else.
    #[error("the store failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A folder, or a prefix in a bucket.
pub trait Store: Clone + Send + Sync + 'static {
    /// An object that is being written.
    type Upload: Upload;
    /// An object that is being read.
    type Reading: Reading;

    /// Begins an object. It becomes visible with [`Upload::finish`]; dropped before that, it must never appear.
    fn create(&self, name: &str) -> impl Future<Output = Result<Self::Upload, StoreError>> + Send;

    /// Opens an object.
    fn open(&self, name: &str) -> impl Future<Output = Result<Self::Reading, StoreError>> + Send;
}

/// An object that is being written.
pub trait Upload: Send + 'static {
    /// Appends.
    fn write(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Makes the object visible.
    fn finish(self) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// An object that is being read.
pub trait Reading: Send + 'static {
    /// The next bytes; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}

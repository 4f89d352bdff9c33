//! What is being done, for whoever measures it: an operation of the API by its own name, the guard's look before it, or
//! work in the background.
//!
//! The name travels with the task that does it. There are as many as the API's description has, whatever clients send.

use std::{future::Future, sync::Arc};

tokio::task_local! {
    static NAME: Name;
}

/// What something is done for.
#[derive(Debug, Clone)]
pub(crate) enum Name {
    /// To find out who is asking.
    Guard,
    /// Whatever no request waits for.
    Background,
    /// By its `operationId`.
    Operation(Arc<str>),
}

impl Name {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Guard => "guard",
            Self::Background => "background",
            Self::Operation(id) => id,
        }
    }
}

/// Does this under that name. No `async fn`: that would have room for the work twice, and a request moves its work about.
pub(crate) fn named<T>(name: Name, work: impl Future<Output = T>) -> impl Future<Output = T> {
    NAME.scope(name, work)
}

/// What the current task is doing.
pub(crate) fn current() -> Name {
    NAME.try_with(Name::clone).unwrap_or(Name::Background)
}

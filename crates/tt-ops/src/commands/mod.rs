//! One file per command; each is the story of the command and little else.

pub(crate) mod backup;
pub(crate) mod completions;
mod copies;
pub(crate) mod db;
pub(crate) mod deploy;
pub(crate) mod diff;
pub(crate) mod env;
mod exports;
pub(crate) mod history;
pub(crate) mod release;
pub(crate) mod restore;
pub(crate) mod rollback;
#[cfg(feature = "sandbox")]
pub(crate) mod sandbox;
pub(crate) mod status;
pub(crate) mod verify;

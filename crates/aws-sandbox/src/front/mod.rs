//! The door: one HTTP port for every service, who a call is for, faults, admin endpoints and the state on disk.

mod admin;
pub(crate) mod call;
mod counts;
mod faults;
pub(crate) mod persist;
mod refusal;
mod route;
mod scope;
mod server;
mod service;

use std::error::Error;
use std::fmt::Write as _;

pub(crate) use counts::Counts;
pub(crate) use faults::Faults;
pub(crate) use server::{Front, bind, serve};

/// An error and its causes in one line, for logs and for messages of the kind "the sandbox cannot …".
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        write!(text, ": {error}").unwrap_or_default();
        cause = error.source();
    }
    text
}

//! What Terraform would create in an account, created in a sandbox: a YAML file and its application.
//!
//! Everything goes through the services' own operations, so that a stack cannot make what the API could not.

mod apply;
mod file;

pub use apply::StackError;
pub(crate) use apply::apply;
pub use file::{Stack, StackFileError};

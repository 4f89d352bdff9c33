//! What a DBA does: one file per command.

pub(crate) mod lint;
mod rehearse;
pub(crate) mod schema;

//! What a DBA does: one file per command.

pub(crate) mod lint;
pub(crate) mod schema;

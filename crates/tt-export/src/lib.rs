//! A logical export of a PostgreSQL database, for moving data to another place, and its restore into an empty database.
//!
//! All connections of an export see one exported snapshot, so the parts fit together whatever users write meanwhile. A part is the text
//! of `COPY`, gzipped; a table is split by its pages into parts of a size that several connections can share. The manifest, with the
//! SHA-256 of every part, is written last: an export without one does not exist. A restore verifies every part before it writes
//! anything, and compares every row count when it is done.
//!
//! Everything streams: what is held in memory depends on the number of connections and never on the database. Where parts go is the
//! caller's business ([`Store`]). This crate never writes over data: a restore refuses a database that has tables.
//!
//! `pg_dump`, as new as the server or newer, must be on `PATH` for an export: it alone knows how to write every kind of definition.
//! Owners and privileges stay behind, since the roles of one place seldom exist in another. Large objects are refused.

mod build;
mod catalog;
mod error;
mod export;
mod folder;
mod gzip;
mod manifest;
mod order;
mod piece;
mod plain;
mod restore;
mod schema;
mod script;
mod source;
mod store;
mod target;
mod token;
mod verify;

pub use error::{ExportError, Trouble};
pub use export::{ExportOptions, Exported, Survey, export, survey};
pub use folder::Folder;
pub use manifest::{Manifest, Part, Sequence, Table};
pub use restore::{Restored, fill, restore};
pub use source::{BadDatabaseName, DatabaseName, DatabaseUrl};
pub use store::{Reading, Store, StoreError, Upload};
pub use target::{Standing, Target};
pub use verify::{Verified, read_manifest, verify};

/// What happens, for whoever shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// What there is to do, in bytes of tables (an export) or of compressed parts (a restore).
    Sized {
        /// How many tables there are.
        tables: usize,
        /// How many bytes.
        bytes: u64,
    },
    /// A part is verified.
    Verified {
        /// Compressed bytes.
        bytes: u64,
    },
    /// A part is exported or restored.
    Moved {
        /// `schema.table`
        table: String,
        /// In the unit of [`Event::Sized`].
        bytes: u64,
    },
    /// All rows are written; indexes and constraints are still being made.
    Indexing,
}

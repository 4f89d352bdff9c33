//! Every way in which an export or a restore ends early.

use crate::store::StoreError;

/// What failed. After a failed export there is no manifest, so there is no export; after a failed restore the target, which was empty
/// before, has to be made anew, except where the variant says that nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The text is not a URL of a database. It is not repeated, because it may hold a password.
    #[error("the database's URL cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")]
    Url,
    /// Nobody answers at its address.
    #[error("nothing answers at the database's address within {} s", crate::source::PATIENCE.as_secs())]
    Unreachable,
    /// The database that a restore should make is there already. Nothing was written.
    #[error("there is a database `{name}` already; a restore makes a new one and never writes into one that exists")]
    Exists {
        /// Its name.
        name: String,
    },
    /// Another restore fills it right now, or its connections have not ended yet. Nothing was written.
    #[error("somebody is connected to the database `{name}` ({says}), which another restore makes")]
    Busy {
        /// Its unfinished name.
        name: String,
        /// Its comment: of which export, since when, by whom.
        says: String,
    },
    /// The server refused the connection.
    #[error("could not connect to the database")]
    Connect(#[source] sqlx::Error),
    /// The server refused a statement, or went away.
    #[error("could not {action}")]
    Database {
        /// What was being done.
        action: String,
        /// What the server said.
        #[source]
        cause: sqlx::Error,
    },
    /// The store failed.
    #[error("could not {action}")]
    Store {
        /// What was being done, with the name of the object.
        action: String,
        /// What the store said.
        #[source]
        cause: StoreError,
    },
    /// `pg_dump` is not on `PATH`.
    #[error(
        "could not run pg_dump, which writes the definitions; install PostgreSQL's client programs, as new as the server or newer"
    )]
    NoPgDump(#[source] std::io::Error),
    /// `pg_dump` refused.
    #[error("pg_dump could not write the definitions: {said}")]
    PgDump {
        /// Its last lines.
        said: String,
    },
    /// `COPY` does not reach them, and an export without them would not be whole.
    #[error(
        "the database has {count} large objects, which an export cannot hold; move them into tables of bytea, or use pg_dump"
    )]
    LargeObjects {
        /// How many.
        count: i64,
    },
    /// Nothing was written.
    #[error("`{name}` is not the manifest of an export this program can read")]
    Manifest {
        /// Where it is.
        name: String,
        /// What is wrong with it.
        #[source]
        cause: ManifestFault,
    },
    /// Nothing was written.
    #[error("the export is damaged: `{name}` {what}; take another export")]
    Damaged {
        /// The part.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// Nothing was written.
    #[error("the target database is not empty: it has {found}; restore into a new database")]
    NotEmpty {
        /// Some of what is there.
        found: String,
    },
    /// A part could not be compressed or decompressed.
    #[error("could not decompress `{name}`")]
    Decompress {
        /// The part.
        name: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Everything was restored, and a table has another number of rows than the manifest says.
    #[error("`{table}` has {found} rows after the restore instead of {expected}; do not use this database")]
    Rows {
        /// `schema.table`
        table: String,
        /// From the manifest.
        expected: u64,
        /// In the target.
        found: u64,
    },
    /// A task of this program ended abnormally.
    #[error("a worker ended abnormally")]
    Worker(#[source] tokio::task::JoinError),
}

/// What is wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestFault {
    /// Not the JSON of a manifest.
    #[error("it is not the JSON of a manifest")]
    Json(#[source] serde_json::Error),
    /// Written by another version.
    #[error("it has format {found}, and this program reads format {known}", known = crate::manifest::FORMAT)]
    Format {
        /// What the manifest says.
        found: u32,
    },
    /// Not as it was written.
    #[error("it was altered or cut short: its checksum does not match")]
    Checksum,
}

/// What has happened to the server, as far as its errors tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Its disk is full.
    DiskFull,
    /// It ended the connection. A server that cannot write its log ends all of them.
    Gone,
}

impl ExportError {
    /// What has happened to the server, where that is more than the refusal of a statement.
    pub fn trouble(&self) -> Option<Trouble> {
        let Self::Database { cause, .. } = self else {
            return None;
        };
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
        // PostgreSQL documentation, "PostgreSQL Error Codes": disk_full, and class 57 for a server that ends.
        match code.as_deref() {
            Some("53100") => Some(Trouble::DiskFull),
            Some("57P01" | "57P02" | "57P03") => Some(Trouble::Gone),
            Some(_) => None,
            None => matches!(cause, sqlx::Error::Io(_)).then_some(Trouble::Gone),
        }
    }

    pub(crate) fn database(action: impl Into<String>) -> impl FnOnce(sqlx::Error) -> Self {
        let action = action.into();
        |cause| Self::Database { action, cause }
    }

    pub(crate) fn store(action: impl Into<String>) -> impl FnOnce(StoreError) -> Self {
        let action = action.into();
        |cause| Self::Store { action, cause }
    }
}

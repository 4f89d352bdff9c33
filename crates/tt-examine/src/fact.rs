//! What a look finds, one fact at a time: short lines, because log drivers cut long ones in pieces.

use serde::Serialize;

/// One thing that was found. As JSON it is a contract with tt-ops.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Fact {
    /// A migration that is applied, as sqlx's table has it.
    Migration {
        /// Its number.
        version: i64,
        /// Its name.
        name: String,
        /// Its checksum in hexadecimal.
        checksum: String,
    },
    /// A migration of the program that looks, by one of the checksums under which it may have been recorded. The look itself finds none:
    /// a program that carries migrations says them.
    KnownMigration {
        /// Its number.
        version: i64,
        /// Its name.
        name: String,
        /// The checksum in hexadecimal.
        checksum: String,
    },
    /// A table outside of PostgreSQL's own schemas.
    Table {
        /// `schema.table`.
        table: String,
        /// Counted, or at a glance estimated.
        rows: u64,
    },
    /// A constraint that was never validated.
    UnvalidatedConstraint {
        /// `schema.table.constraint`.
        name: String,
    },
    /// An index whose build failed.
    InvalidIndex {
        /// `schema.index`.
        name: String,
    },
    /// The last fact: everything was looked at.
    Examined {
        /// PostgreSQL's version.
        server: String,
        /// Size of the database on disk.
        bytes: u64,
        /// Whether pages and indexes are sound.
        pages: Pages,
    },
}

/// What the extension `amcheck` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "amcheck", rename_all = "kebab-case")]
pub enum Pages {
    /// Everything is sound.
    Sound {
        /// Tables that were read in full.
        tables: u64,
        /// B-tree indexes that were compared with their tables.
        indexes: u64,
    },
    /// Something is damaged.
    Damaged {
        /// PostgreSQL's words, the first few.
        findings: Vec<String>,
    },
    /// It was not checked.
    NotDone {
        /// Why.
        reason: String,
    },
}

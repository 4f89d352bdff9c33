//! Backups and restores: what is planned, what is refused, what is found wanting.

mod backup;
mod examination;
mod policy;
mod restore;
mod world;

//! The hosted task service: projects and tasks over HTTP, kept in PostgreSQL.
//!
//! A request goes `server` → `telemetry` → `router` → one endpoint file under `project/` or `task/` → `database`.
//! `service` is the story of one process from start to end, and `command` its command line.
//!
//! The service never migrates its schema at boot, holds no state of its own between requests, and never opens a
//! transaction that a disconnecting client could leave behind: every mutation is one statement.

mod command;
mod config;
mod connection;
mod database;
mod extract;
mod health;
mod lifecycle;
pub mod migrate;
mod page;
mod probe;
mod problem;
mod project;
mod router;
mod schema;
mod server;
mod service;
mod task;
mod telemetry;
mod text;
mod version;

pub use command::program;
pub use config::{DatabaseUrl, MissingDatabaseUrl, Settings};
pub use lifecycle::Lifecycle;
pub use service::{Service, StartError, Unfinished};

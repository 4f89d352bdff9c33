//! The hosted task service: projects and tasks over HTTP, kept in PostgreSQL.
//!
//! A request goes `server` → `telemetry` → `router` → `access` → one endpoint file under the folder of its noun →
//! `database`, by way of `write` if it changes something. `service` is the story of one process from start to end, and
//! `command` its command line.
//!
//! The service never migrates its schema at boot, holds no state of its own between requests, and never opens a
//! transaction that a disconnecting client could leave behind: every mutation is one statement. Whose rows a statement
//! may touch is part of the statement.

mod access;
mod account;
mod activity;
mod api_token;
mod attachment;
mod belongings;
mod census;
mod coalescing;
mod command;
mod comment;
mod config;
mod connection;
mod credentials;
mod database;
mod descriptors;
mod doctor;
mod effect;
mod examine;
mod extract;
mod health;
mod invitation;
mod label;
mod leftover;
mod lifecycle;
mod member;
pub mod migrate;
mod notification;
mod openapi;
mod operation;
mod outbound;
mod outbox;
mod page;
mod personal;
mod probe;
mod problem;
mod project;
mod reminder;
mod retry;
mod router;
mod row;
mod saved_filter;
mod schema;
mod secrets;
mod seed;
mod server;
mod service;
mod session;
mod task;
mod telemetry;
mod text;
mod trace;
mod transfer;
mod upkeep;
mod version;
mod webhook;
mod write;

pub use attachment::{AttachmentSettings, NoUrl};
pub use command::{program, program_with_migrations};
pub use config::{DatabaseUrl, MissingDatabaseUrl, Settings};
pub use credentials::BadSource;
pub use descriptors::TooFewFiles;
pub use lifecycle::Lifecycle;
pub use openapi::{document as openapi_document, markdown as openapi_markdown};
pub use personal::{PersonalError, erase_due, export_user};
pub use secrets::{BadSecret, Secrets, Unheld};
pub use seed::{Amounts, PASSWORD as SEED_PASSWORD, SeedError, seed};
pub use service::{Service, StartError, Unfinished};
pub use trace::NoTraces;
pub use webhook::WebhookSettings;

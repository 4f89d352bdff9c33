//! The service as its clients, its load balancer and its operators meet it, on a real PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod accounts;
mod api;
mod attachments;
mod authority;
mod board;
mod bulk;
mod cluster;
mod command;
mod conformance;
mod crossed;
mod cut;
mod doctor;
mod documented;
#[path = "../../examples/faulty_release/faults.rs"]
mod faults;
mod filters;
mod following;
mod instance;
mod lifecycle;
mod line;
mod log;
mod matrix;
mod members;
mod metrics;
mod moved;
mod order;
mod outage;
mod overlap;
mod personal;
mod problems;
mod projects;
mod receiver;
mod releases;
mod reminders;
mod retries;
mod rotation;
mod search;
mod store;
mod subtasks;
mod tasks;
mod tenant;
mod traces;
mod transfer;
mod traps;
mod upkeep;
mod webhooks;

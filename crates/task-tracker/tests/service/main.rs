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
mod consequences;
mod crossed;
mod cut;
mod doctor;
mod documented;
mod erasure;
#[path = "../../examples/faulty_release/faults.rs"]
mod faults;
mod filters;
mod following;
mod hostile;
mod instance;
mod leases;
mod leftovers;
mod lifecycle;
mod limits;
mod line;
mod lists;
mod log;
mod makers;
mod matrix;
mod members;
mod metrics;
mod moved;
mod order;
mod outage;
mod overlap;
mod passwords;
mod personal;
mod portions;
mod problems;
mod projects;
mod receiver;
mod releases;
mod reminders;
mod restoring;
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

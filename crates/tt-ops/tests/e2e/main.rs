//! `tt-ops` as its users meet it: the real program, against sandboxes of its own with real tasks, a real proxy and a
//! real PostgreSQL.
//!
//! Every test asserts on what is said, on the exit code and on what became of the service. None of them asserts on how
//! long something took.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod backups;
mod bad_input;
mod bad_releases;
mod cut_off;
mod direct;
mod exports;
mod harness;
mod interruption;
mod migrations;
mod output;
mod rollback;
mod sandbox;
mod story;

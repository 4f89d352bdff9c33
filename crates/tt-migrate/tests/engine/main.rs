//! The engine on a real PostgreSQL: what it does, what it refuses, and what is left after it was cut off.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by panicking"
)]

mod back;
mod cluster;
mod concurrent;
mod cut_off;
mod disk;
mod failing;
mod files;
mod locks;
mod order;
mod release;

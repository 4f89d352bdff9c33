//! A steady mixed load on the task API whose every acknowledged write is read back.
//!
//! Requests leave by the clock, not when the one before has been answered, so a service that stalls is seen to stall.
//! A write counts from the moment it was acknowledged; at the end the ledger of these is compared with what the service
//! still has. Nothing is retried: a user would have seen the failure. The users are made for the run, each with a session.
//!
//! Owns the traffic and the counting. Never prints, never judges whether the figures are good.

mod client;
mod failure;
mod ledger;
mod operation;
mod prepare;
mod read_back;
mod report;
mod run;
mod schedule;
mod tally;

pub use prepare::LoadError;
pub use report::{Failure, Latency, Release, Report, Second, Traffic};
pub use run::{Config, run};

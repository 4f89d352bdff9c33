//! What tests and benchmarks stand on: a private [`PostgreSQL`](postgres::Server), a [way](way::Way) to it that can be cut,
//! and [programs from `PyPI`](venv).
//!
//! Nothing here is part of a program that we ship. A fixture that cannot be made ends the test with the reason; only what
//! a machine may rightly lack (Python) is an error that a test can turn into a visible skip.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a fixture that cannot be made is the end of the test that wants it"
)]

pub mod postgres;
pub mod venv;
pub mod way;

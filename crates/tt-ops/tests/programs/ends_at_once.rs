//! A release that ends the moment it starts, as one does whose configuration is wrong: it says why and exits with 3.
//!
//! Its migrations do nothing and succeed, unless `FAIL_MIGRATIONS` is set, so that either way of failing can be rehearsed.

use std::{env, io::Write, process::ExitCode};

fn main() -> ExitCode {
    let migrating = env::args().nth(1).as_deref() == Some("migrate");
    if migrating && env::var_os("FAIL_MIGRATIONS").is_none() {
        return ExitCode::SUCCESS;
    }
    let asked = if migrating { "the migrations" } else { "the service" };
    let _nobody_listens = writeln!(
        std::io::stderr(),
        "ends_at_once: {asked} cannot start: FEATURE_FLAGS is not set"
    );
    ExitCode::from(3)
}

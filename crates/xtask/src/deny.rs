//! cargo-deny, where it is installed: it takes minutes to build, so its absence is said and not mended.

use std::process::{Command, Stdio};

use crate::{child::Child, failure::Failure, interrupt::Interrupt, place::Place, say};

pub(crate) fn run(place: &Place, interrupt: &Interrupt) -> Result<(), Failure> {
    let mut version = Command::new("cargo");
    version
        .args(["deny", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if !Child::start("cargo deny", version)?.wait(interrupt)?.success() {
        say::line(
            "skipped: deny.toml was not checked, cargo-deny is not installed (cargo install --locked cargo-deny)",
        );
        return Ok(());
    }
    let mut check = Command::new("cargo");
    check
        .args(["deny", "--locked", "check", "bans", "licenses", "sources"])
        .current_dir(place.root())
        .stdin(Stdio::null());
    Child::start("cargo deny", check)?.succeed(interrupt)
}

//! Asking a container whose network nobody else reaches: from inside it, by this very program.

use std::{env, net::SocketAddr, process::Command};

use clap::Args;

use crate::{failure::Failure, http, interrupt::Interrupt, said::ask, say};

/// One GET, for whoever has entered a container's network.
#[derive(Debug, Args)]
pub(crate) struct Fetch {
    address: SocketAddr,
    path: String,
}

/// Prints the answer's body; fails with its status unless that is 200.
pub(crate) fn fetch(question: &Fetch) -> Result<(), Failure> {
    let body = http::fetch(&question.address.to_string(), &question.path)
        .map_err(|cause| Failure::Check(format!("{} of {}: {cause}", question.path, question.address)))?;
    say::line(String::from_utf8_lossy(&body));
    Ok(())
}

/// The body of the answer to a GET in the network of a process, or what was answered instead.
pub(super) fn get(
    process: &str,
    port: u16,
    path: &str,
    interrupt: &Interrupt,
) -> Result<Result<String, String>, Failure> {
    let program = env::current_exe().map_err(Failure::Place)?;
    let mut enter = Command::new("nsenter");
    enter
        .args(["--net", "--target", process, "--"])
        .arg(program)
        .args(["fetch", &format!("127.0.0.1:{port}"), path]);
    let said = ask("nsenter", &mut enter, interrupt)?;
    Ok(if said.status.success() {
        Ok(said.out)
    } else {
        Err(said.all())
    })
}

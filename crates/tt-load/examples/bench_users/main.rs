//! The users of `cargo xtask bench-api`: a process of their own, so that what they cost is not the server's.
//!
//! Reads one order as JSON from standard input (tokens stay out of the process list) and writes what came of it as JSON to
//! standard output. Speaks HTTP/1.1 by hand: a client library would cost as much as the servers it measures.

mod connection;
mod crowd;
mod latency;
mod listen;
mod people;
mod rounds;

use std::{
    error::Error,
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Deserialize;

use crate::people::Person;

type Failure = Box<dyn Error + Send + Sync>;

/// What to do, to whom, and as whom.
#[derive(Deserialize)]
struct Order {
    address: SocketAddr,
    /// A file of JSON lines.
    people: PathBuf,
    #[serde(flatten)]
    job: Job,
}

#[derive(Deserialize)]
#[serde(tag = "job", rename_all = "kebab-case")]
enum Job {
    Rounds(rounds::Order),
    Crowd(crowd::Order),
    Listen(listen::Order),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            drop(writeln!(io::stderr(), "bench_users: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let order: Order = serde_json::from_reader(io::stdin().lock())?;
    let people = people::read(&order.people)?;
    open_more_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let Order { address, job, .. } = order;
        Ok::<_, Failure>(match job {
            Job::Rounds(order) => serde_json::to_value(rounds::run(address, people, order).await?)?,
            Job::Crowd(order) => serde_json::to_value(crowd::run(address, people, order).await?)?,
            Job::Listen(order) => serde_json::to_value(listen::run(address, people, order).await?)?,
        })
    })?;
    writeln!(io::stdout().lock(), "{outcome}")?;
    Ok(())
}

/// As many as this process may have: every user has a connection.
fn open_more_files() -> io::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    )?)
}

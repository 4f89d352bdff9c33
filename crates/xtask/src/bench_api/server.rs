//! A server under measurement: started, ready, and gone when it is dropped.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    proc,
    stage::{Stage, free_port},
};
use crate::{child::Child, failure::Failure, interrupt::Interrupt, local::log_file, machine, place::Place};

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(1);

/// A running server.
pub(super) struct Server {
    name: &'static str,
    address: SocketAddr,
    process: Child,
    ready_after: Duration,
}

impl Server {
    /// The service as images carry it, with room for more connections than it will have. With one thread for requests: it is
    /// given one processor in production, and the peers have one process with one thread for theirs.
    pub(super) fn ours(place: &Place, stage: &Stage, interrupt: &Interrupt) -> Result<Self, Failure> {
        let port = free_port()?;
        let mut command = Command::new(place.release_program("task-tracker"));
        command
            .args(["serve", "--host=127.0.0.1", "--metrics-port=0", "--drain-seconds=0"])
            .arg(format!("--port={port}"))
            .env("TOKIO_WORKER_THREADS", "1")
            // Listeners share a handful of users.
            .env("STREAMS_PER_USER", "10000")
            .env("DATABASE_URL", stage.url());
        let log = place.results("bench").join("task-tracker.log");
        Self::start("task-tracker", port, command, "/readyz", &log, interrupt)
    }

    /// Any server that listens there, once it answers this path with anything below 500.
    pub(super) fn start(
        name: &'static str,
        port: u16,
        mut command: Command,
        path: &str,
        log: &Path,
        interrupt: &Interrupt,
    ) -> Result<Self, Failure> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (out, err) = log_file(log)?;
        command.stdin(Stdio::null()).stdout(out).stderr(err);
        let started = Instant::now();
        let mut process = Child::start(name, command)?.logged(log);
        while status(address, path).is_none_or(|status| status >= 500) {
            if let Some(status) = process.ended()? {
                return Err(process.failed(status));
            }
            if started.elapsed() > PATIENCE {
                return Err(Failure::TooLong {
                    program: name.to_owned(),
                    limit: PATIENCE,
                });
            }
            interrupt.pause(LOOK)?;
        }
        Ok(Self {
            name,
            address,
            process,
            ready_after: started.elapsed(),
        })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// From its start to its first good answer.
    pub(super) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    pub(super) fn cpu(&self) -> Duration {
        proc::cpu(self.process.id())
    }

    pub(super) fn memory_mb(&self) -> f64 {
        proc::memory_mb(self.process.id())
    }

    /// The most that its first process has had so far.
    pub(super) fn peak_memory_mb(&self) -> f64 {
        let kilobytes = machine::peak_memory(self.process.id()).unwrap_or_default();
        f64::from(u32::try_from(kilobytes).unwrap_or(u32::MAX)) / 1024.0
    }
}

/// The status of the answer to a GET, if there is one.
fn status(address: SocketAddr, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    line.split(' ').nth(1)?.parse().ok()
}

//! The process that plays the users: `bench_users`, an example of tt-load. An order goes in, figures come out.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{server::Server, stage::Stage};
use crate::{child::Child, failure::Failure, interrupt::Interrupt, place::Place};

/// How to start it.
pub(super) struct Users {
    program: PathBuf,
    people: PathBuf,
}

#[derive(Serialize)]
struct Order<'o, J> {
    address: SocketAddr,
    people: &'o PathBuf,
    #[serde(flatten)]
    job: J,
}

/// How long answers took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the unit stands in the JSON")]
pub(super) struct Spread {
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) max_ms: f64,
}

impl Users {
    pub(super) fn new(place: &Place, stage: &Stage) -> Self {
        Self {
            program: place.program("examples").join("bench_users"),
            people: stage.people().to_owned(),
        }
    }

    /// Waits until the job is done, and looks around meanwhile.
    pub(super) fn ask<T: DeserializeOwned>(
        &self,
        server: &Server,
        job: impl Serialize,
        interrupt: &Interrupt,
        mut look: impl FnMut(),
    ) -> Result<T, Failure> {
        let odd = |cause| Failure::Json {
            path: self.program.clone(),
            cause,
        };
        let order = Order {
            address: server.address(),
            people: &self.people,
            job,
        };
        let order = serde_json::to_vec(&order).map_err(odd)?;
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start("bench_users", command)?;
        if let Some(mut input) = child.take_input() {
            // When it has ended already, how it ended says more.
            let _closed = input.write_all(&order);
        }
        let status = child.wait_and(interrupt, |_| look())?;
        if !status.success() {
            return Err(child.failed(status));
        }
        // One line, less than a pipe holds.
        let mut text = Vec::new();
        if let Some(mut output) = child.take_output() {
            output.read_to_end(&mut text).map_err(|cause| Failure::Read {
                path: self.program.clone(),
                cause,
            })?;
        }
        serde_json::from_slice(&text).map_err(odd)
    }
}

//! Many users at once, each on a connection that is kept.

use serde::{Deserialize, Serialize};

use super::{
    Options,
    server::Server,
    users::{Spread, Users},
};
use crate::{failure::Failure, interrupt::Interrupt, say};

const RAMP_SECONDS: f64 = 30.0;
const SECONDS: f64 = 60.0;
const PACE_SECONDS: f64 = 10.0;

#[derive(Serialize)]
#[serde(tag = "job", rename = "crowd")]
struct Job {
    users: usize,
    ramp_seconds: f64,
    seconds: f64,
    pace_seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    pub(super) users: usize,
    pub(super) requests: u64,
    pub(super) failed: u64,
    pub(super) failure: Option<String>,
    pub(super) seconds: f64,
    #[serde(flatten)]
    pub(super) spread: Spread,
}

/// What it was like, for them and for the server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Crowd {
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    /// The most that the server had.
    pub(super) memory_mb: f64,
}

pub(super) fn measure(
    options: &Options,
    ours: &Server,
    users: &Users,
    interrupt: &Interrupt,
) -> Result<Crowd, Failure> {
    say::act(
        "A crowd",
        &format!(
            "{} users arrive within 30 s and stay a minute, each with a request every 10 s.",
            options.users
        ),
    );
    let job = Job {
        users: options.users,
        ramp_seconds: RAMP_SECONDS,
        seconds: SECONDS,
        pace_seconds: PACE_SECONDS,
    };
    let outcome = users.ask(ours, job, interrupt, || {})?;
    Ok(Crowd {
        outcome,
        memory_mb: ours.peak_memory_mb(),
    })
}

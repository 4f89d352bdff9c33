//! Events, and how long until everybody has heard.

use serde::{Deserialize, Serialize};

use super::{
    Options,
    server::Server,
    users::{Spread, Users},
};
use crate::{failure::Failure, interrupt::Interrupt, say};

const PROJECTS: usize = 10;
const SECONDS: f64 = 20.0;
const EVENTS_PER_SECOND: f64 = 10.0;

#[derive(Serialize)]
#[serde(tag = "job", rename = "listen")]
struct Job {
    listeners: usize,
    projects: usize,
    seconds: f64,
    events_per_second: f64,
}

/// From the moment at which a change was sent until a listener had its event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Followed {
    pub(super) listeners: usize,
    pub(super) projects: usize,
    pub(super) events: u64,
    pub(super) expected: u64,
    pub(super) heard: u64,
    #[serde(flatten)]
    pub(super) spread: Spread,
}

pub(super) fn measure(
    options: &Options,
    ours: &Server,
    users: &Users,
    interrupt: &Interrupt,
) -> Result<Followed, Failure> {
    say::act(
        "Listeners",
        &format!(
            "{} listeners of {PROJECTS} projects, in which ten tasks a second are made.",
            options.listeners
        ),
    );
    let job = Job {
        listeners: options.listeners,
        projects: PROJECTS,
        seconds: SECONDS,
        events_per_second: EVENTS_PER_SECOND,
    };
    users.ask(ours, job, interrupt, || {})
}

//! The service while nobody asks anything of it, and how soon it is there.

use std::time::Duration;

use serde::Serialize;

use super::{server::Server, stage::Stage};
use crate::{failure::Failure, interrupt::Interrupt, place::Place, say};

const STARTS: usize = 5;
/// Its background work has had its first turn by then.
const SETTLED: Duration = Duration::from_secs(3);

/// The median of five starts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Rest {
    pub(super) ready_ms: f64,
    pub(super) memory_mb: f64,
}

pub(super) fn measure(place: &Place, stage: &Stage, interrupt: &Interrupt) -> Result<Rest, Failure> {
    say::act("At rest", "Five starts on an up-to-date schema.");
    let (mut ready, mut memory) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let server = Server::ours(place, stage, interrupt)?;
        interrupt.pause(SETTLED)?;
        ready.push(server.ready_after().as_secs_f64() * 1000.0);
        memory.push(server.memory_mb());
    }
    ready.sort_by(f64::total_cmp);
    memory.sort_by(f64::total_cmp);
    Ok(Rest {
        ready_ms: ready[STARTS / 2],
        memory_mb: memory[STARTS / 2],
    })
}

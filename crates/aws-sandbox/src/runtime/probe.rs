//! A second command beside a running one, for its health check: in the same image, as the same user, with the same variables.

use std::time::Duration;

use tokio::sync::mpsc;

use super::engine::Engine;
use super::{ProcessSpec, Runtime};

/// How often the engine is asked whether the command has ended.
const LOOK: Duration = Duration::from_millis(20);

/// Where the command runs.
#[derive(Debug, Clone)]
pub(crate) struct Probe(Place);

#[derive(Debug, Clone)]
enum Place {
    Beside(ProcessSpec),
    In { engine: Engine, container: String },
}

impl Probe {
    /// Beside a process.
    pub(crate) fn beside(spec: &ProcessSpec) -> Self {
        // Its own output stays open for as long as somebody could write to it.
        let (lines, _unread) = mpsc::unbounded_channel();
        Self(Place::Beside(ProcessSpec { lines, ..spec.clone() }))
    }

    pub(super) fn inside(engine: Engine, container: String) -> Self {
        Self(Place::In { engine, container })
    }

    /// Whether the command ends with exit code 0 in time. What it prints is nobody's: Amazon ECS keeps it out of the logs.
    pub(crate) async fn passes(&self, runtime: &Runtime, command: &[String], timeout: Duration) -> bool {
        let code = match &self.0 {
            Place::Beside(spec) => run(spec, runtime, command, timeout).await,
            Place::In { engine, container } => execute(engine, container, command, timeout).await,
        };
        code == Some(0)
    }
}

async fn run(beside: &ProcessSpec, runtime: &Runtime, command: &[String], timeout: Duration) -> Option<i64> {
    let spec = ProcessSpec {
        command: command.to_vec(),
        ..beside.clone()
    };
    let process = runtime.spawn(spec).await.ok()?;
    match tokio::time::timeout(timeout, process.wait()).await {
        Ok(exit) => Some(exit.code.into()),
        Err(_too_long) => {
            process.kill();
            None
        }
    }
}

async fn execute(engine: &Engine, container: &str, command: &[String], timeout: Duration) -> Option<i64> {
    let running = async {
        let execution = engine.execute(container, command).await.ok()?;
        loop {
            match engine.executed(&execution).await {
                Ok(None) => tokio::time::sleep(LOOK).await,
                Ok(Some(code)) => return Some(code),
                Err(_gone) => return None,
            }
        }
    };
    // A command that takes too long goes on in the container; the engine has no call to end it alone.
    tokio::time::timeout(timeout, running).await.ok().flatten()
}

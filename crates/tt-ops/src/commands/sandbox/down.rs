//! `sandbox down`: no process of it stays.

use std::{fs, io, time::Duration};

use tokio::time::{Instant, sleep};

use super::place::Place;
use crate::{cli::Global, context::load, exit::Exit, failure::Failure, report::Reporter};

/// What becomes of what it stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The next `up` goes on from it.
    Kept,
    /// Removed.
    Wiped,
}

impl From<bool> for State {
    fn from(wipe: bool) -> Self {
        if wipe { Self::Wiped } else { Self::Kept }
    }
}

/// Tasks get their own time to drain, up to ECS's 30 s stop timeout, and PostgreSQL writes its last checkpoint.
const PATIENCE: Duration = Duration::from_mins(1);

pub(super) async fn run(global: &Global, name: &str, state: State, reporter: &Reporter) -> Result<Exit, Failure> {
    let place = Place::of(&load(global, name)?)?;
    if place.answers().await {
        place.stop().await?;
        gone(&place).await?;
        reporter.say(&format!(
            "The sandbox of `{name}` has ended, and with it every process it started."
        ));
    } else {
        reporter.say(&format!("The sandbox of `{name}` does not run."));
    }
    if state == State::Wiped {
        not_in_use(&place)?;
        match fs::remove_dir_all(&place.state) {
            Ok(()) => reporter.say(&format!("Removed {}.", place.state.display())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(Failure::new(
                    Exit::Failed,
                    format!("could not remove {}: {error}", place.state.display()),
                ));
            }
        }
    }
    Ok(Exit::Done)
}

/// A sandbox that listens elsewhere may live in the same folder: its lock is the only witness.
fn not_in_use(place: &Place) -> Result<(), Failure> {
    let Ok(lock) = fs::File::open(place.state.join("lock")) else {
        return Ok(());
    };
    match lock.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(Failure::new(
            Exit::Refused,
            format!("another sandbox uses {}; nothing was removed", place.state.display()),
        )
        .hint("it listens at another address: set TT_SANDBOX_URL as it was when it was started")),
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(()),
    }
}

async fn gone(place: &Place) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while place.ready.exists() || place.answers().await {
        if Instant::now() >= deadline {
            return Err(Failure::new(
                Exit::TimedOut,
                format!(
                    "the sandbox at {} was told to stop and still runs after {} s",
                    place.listen,
                    PATIENCE.as_secs()
                ),
            )
            .hint(format!("what holds it is in {}", place.log.display())));
        }
        sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

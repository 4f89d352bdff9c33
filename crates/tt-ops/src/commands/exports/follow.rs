//! Stays with an export or a restore until it ends or somebody interrupts it, and says what it hears of it.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::unbounded_channel,
};
use tt_export::Event;

use crate::{
    exit::Exit,
    failure::Failure,
    report::{Moving, Reporter},
};

/// Ctrl-C, or the SIGTERM of a cancelled CI job. Listened for before anything is made that would have to be removed; what comes between
/// is not lost, and a second one does not stop the removing.
pub(super) struct Interruptions {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruptions {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = || {
            Ok::<_, std::io::Error>(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        };
        listen().map_err(|error| Failure::new(Exit::Internal, format!("could not listen for signals: {error}")))
    }

    async fn come(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// How it came to its end.
pub(super) enum Followed<T> {
    /// By itself, after so long.
    Ended(T, Duration),
    /// By Ctrl-C or SIGTERM. Its connections are closed; what it had begun is the caller's to take back.
    Interrupted,
}

/// `work` is given what it shall call with each event, from whatever thread.
pub(super) async fn follow<T, F: Future<Output = T>>(
    work: impl FnOnce(Box<dyn Fn(Event) + Send + Sync>) -> F,
    mut moving: Moving,
    interruptions: &mut Interruptions,
    reporter: &Reporter,
) -> Followed<T> {
    let began = Instant::now();
    let (tell, mut heard) = unbounded_channel();
    // Whoever no longer listens has ended the work as well.
    let mut work = pin!(work(Box::new(move |event| drop(tell.send(event)))));
    reporter.moving_begins(&moving);
    let followed = loop {
        tokio::select! {
            () = interruptions.come() => break Followed::Interrupted,
            Some(event) = heard.recv() => reporter.moving(&mut moving, &event),
            ended = &mut work => break Followed::Ended(ended, began.elapsed()),
        }
    };
    while let Ok(event) = heard.try_recv() {
        reporter.moving(&mut moving, &event);
    }
    reporter.moving_ended(&moving, began.elapsed());
    followed
}

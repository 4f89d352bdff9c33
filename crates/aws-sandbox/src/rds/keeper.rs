//! Keeps one instance as it is wanted: starts its server, starts it again when it dies, stops or deletes it when told.

use std::time::Duration;

use tokio::sync::watch;

use super::error::RdsError;
use super::instance::Status;
use super::{InstanceId, Rds, meter, remove_files};

/// Between a server's death and the next try.
const PAUSE: Duration = Duration::from_millis(500);
/// Tries in a row that may fail before the instance is given up.
const TRIES: u32 = 10;

/// What the world wants of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    Stopped,
    /// The sandbox goes down: the server stops and the status stays.
    Paused,
    Deleted,
}

/// Runs until the instance is deleted or paused.
pub(super) async fn keep(rds: &Rds, id: &InstanceId, mut wanted: watch::Receiver<Wanted>) {
    let mut failures = 0;
    loop {
        let current = *wanted.borrow_and_update();
        match current {
            Wanted::Running => match serve(rds, id, &mut wanted).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    let reason = crate::front::chain(&error);
                    tracing::warn!(instance = %id.1, %reason, "the database server ended");
                    if failures == TRIES {
                        rds.set_status(id, Status::Failed { reason });
                        // A failed instance can only be deleted.
                        wait_for(&mut wanted, |next| next != Wanted::Running && next != Wanted::Stopped).await;
                    } else {
                        rds.set_status(id, Status::Starting);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            },
            Wanted::Stopped => {
                rds.set_status(id, Status::Stopped);
                wait_for(&mut wanted, |next| next != Wanted::Stopped).await;
            }
            Wanted::Paused => return,
            Wanted::Deleted => {
                if let Some(instance) = rds.instance(id) {
                    remove_files(&rds.files(&instance));
                }
                rds.forget(id);
                return;
            }
        }
    }
}

/// Runs the server until something else is wanted. An error means that it ended by itself or never began.
async fn serve(rds: &Rds, id: &InstanceId, wanted: &mut watch::Receiver<Wanted>) -> Result<(), RdsError> {
    let cluster = rds.cluster(id)?;
    let mut server = cluster.start().await?;
    tokio::select! {
        ready = server.ready() => ready?,
        () = wait_for(wanted, |next| next != Wanted::Running) => {}
    }
    if *wanted.borrow() == Wanted::Running {
        rds.set_status(id, Status::Available);
        let measured = meter::measure_forever(rds, id, server.process.pid());
        tokio::select! {
            error = server.until_end() => return Err(error),
            () = measured => {}
            () = wait_for(wanted, |next| next != Wanted::Running) => {}
        }
    }
    if *wanted.borrow() == Wanted::Stopped {
        rds.set_status(id, Status::Stopping);
    }
    cluster.stop(&server.process).await
}

/// Also returns when nobody can want anything any more, as when the sandbox goes down.
async fn wait_for(wanted: &mut watch::Receiver<Wanted>, holds: impl Fn(Wanted) -> bool) {
    drop(wanted.wait_for(|next| holds(*next)).await);
}

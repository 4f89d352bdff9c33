//! Keeps one instance as it is wanted: starts its server, starts it again when it dies, stops or deletes it when told.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::error::RdsError;
use super::status::Status;
use super::{InstanceId, Rds, files, meter};

/// Between a server's death and the next try.
const PAUSE: Duration = Duration::from_millis(500);
/// Tries in a row that may fail before the instance is given up.
const TRIES: u32 = 10;

/// What the world wants of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    Restarted(Restart),
    Stopped,
    /// The sandbox goes down: the server stops and the status stays.
    Paused,
    Deleted,
}

/// How a server that is to run again goes down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    /// In good order: clients are told, nothing has to be recovered.
    Reboot,
    /// As its machine would: every connection breaks, and what takes over has to recover from the log.
    FailOver,
}

/// Runs until the instance is deleted or paused.
pub(super) async fn keep(rds: &Arc<Rds>, id: &InstanceId, mut wanted: watch::Receiver<Wanted>) {
    let mut failures = 0;
    loop {
        let current = *wanted.borrow_and_update();
        match current {
            Wanted::Running => match serve(rds, id, &mut wanted).await {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    let full = error.is_disk_full();
                    let reason = crate::front::chain(&error);
                    tracing::warn!(instance = %id.1, %reason, "the database server ended");
                    if full {
                        // Not given up: somebody may make room.
                        rds.set_status(id, Status::StorageFull);
                        tokio::time::sleep(PAUSE).await;
                    } else if failures >= TRIES {
                        rds.set_status(id, Status::Failed { reason });
                        // A failed instance can only be deleted.
                        wait_for(&mut wanted, |next| matches!(next, Wanted::Paused | Wanted::Deleted)).await;
                    } else {
                        rds.set_status(id, Status::Starting);
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            },
            // It is down; somebody who wants something else by now has the last word.
            Wanted::Restarted(_) => rds.want_if(id, current, Wanted::Running),
            Wanted::Stopped => {
                rds.set_status(id, Status::Stopped);
                wait_for(&mut wanted, |next| next != Wanted::Stopped).await;
            }
            Wanted::Paused => return,
            Wanted::Deleted => {
                if let Some(instance) = rds.instance(id) {
                    files::remove(&rds.files(&instance));
                }
                rds.forget(id);
                return;
            }
        }
    }
}

/// Runs the server until something else is wanted. An error means that it ended by itself or never began.
async fn serve(rds: &Arc<Rds>, id: &InstanceId, wanted: &mut watch::Receiver<Wanted>) -> Result<(), RdsError> {
    rds.prepare_log(id);
    let cluster = rds.cluster(id)?;
    let mut server = cluster.start(None).await?;
    tokio::select! {
        ready = server.ready() => ready?,
        () = wait_for(wanted, |next| next != Wanted::Running) => {}
    }
    if *wanted.borrow() == Wanted::Running {
        let instance = rds.instance(id).filter(|instance| rds.is_due(instance));
        rds.set_status(
            id,
            if instance.is_some() {
                Status::BackingUp
            } else {
                Status::Available
            },
        );
        let measured = meter::measure_forever(rds, id, server.process.pid());
        tokio::select! {
            error = server.until_end() => return Err(error),
            () = measured => {}
            () = rds.back_up_forever(id) => {}
            () = wait_for(wanted, |next| next != Wanted::Running) => {}
        }
    }
    let next = *wanted.borrow();
    match next {
        Wanted::Stopped => rds.set_status(id, Status::Stopping),
        Wanted::Restarted(Restart::FailOver) => {
            cluster.crash(&server.process).await;
            return Ok(());
        }
        Wanted::Running | Wanted::Restarted(Restart::Reboot) | Wanted::Paused | Wanted::Deleted => {}
    }
    cluster.stop(&server.process).await
}

/// Also returns when nobody can want anything any more, as when the sandbox goes down.
async fn wait_for(wanted: &mut watch::Receiver<Wanted>, holds: impl Fn(Wanted) -> bool) {
    drop(wanted.wait_for(|next| holds(*next)).await);
}

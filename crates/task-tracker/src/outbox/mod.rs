//! Sends what happened to the webhooks that want to hear of it.
//!
//! The rows of `webhook_deliveries` are the outbox: a trigger makes them in the transaction of the event. Any number of
//! processes, of one release or of two, take what is due with a lease (`claim`), post it (`message`), and write down how
//! it went (`settle`). A process that dies leaves its lease to run out. So a message arrives at least once, and one that
//! nobody takes ends as dead after a last attempt; nothing is sent in order.

mod claim;
mod message;
mod pace;
mod settle;

pub(crate) use message::OUTCOMES;

use std::{sync::Arc, time::Duration};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::{database::Database, lifecycle::Lifecycle, outbox::claim::Claimed, problem::Problem, webhook::Webhooks};

/// Messages under way in one process.
const AT_ONCE: usize = 16;
/// How often an idle process looks. A part of what a receiver waits; the query finds its rows by an index.
const LOOK: Duration = Duration::from_secs(1);
/// After the database failed.
const AGAIN: Duration = Duration::from_secs(5);

/// Ends when the process stops, once what is under way has come to an end.
pub(crate) async fn run(database: Database, webhooks: Option<Webhooks>, lifecycle: Lifecycle) {
    let Some(webhooks) = webhooks else {
        return;
    };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let under_way = TaskTracker::new();
    loop {
        let pause = match turn(&database, &webhooks, &places, &under_way).await {
            // There may be more: look again as soon as a place is free.
            Ok(taken) if taken > 0 => Duration::ZERO,
            Ok(_) => LOOK,
            Err(_) => AGAIN,
        };
        tokio::select! {
            biased;
            () = lifecycle.draining() => break,
            () = tokio::time::sleep(pause) => {}
        }
    }
    under_way.close();
    under_way.wait().await;
}

/// Takes as many messages as there are places, and sees them off.
async fn turn(
    database: &Database,
    webhooks: &Webhooks,
    places: &Arc<Semaphore>,
    under_way: &TaskTracker,
) -> Result<usize, Problem> {
    let Ok(first) = Arc::clone(places).acquire_owned().await else {
        return Ok(0);
    };
    let mut free: Vec<OwnedSemaphorePermit> = vec![first];
    free.extend(std::iter::from_fn(|| Arc::clone(places).try_acquire_owned().ok()));
    let mut connection = database.connection().await?;
    let claimed = claim::claim(&mut connection, free.len())
        .await
        .map_err(|cause| Problem::of_database(&cause))?;
    drop(connection);
    let taken = claimed.len();
    for (claimed, place) in claimed.into_iter().zip(free) {
        let (database, webhooks) = (database.clone(), webhooks.clone());
        under_way.spawn(async move {
            see_off(&database, &webhooks, claimed).await;
            drop(place);
        });
    }
    Ok(taken)
}

/// When the database fails at the end, the lease runs out and the message is sent once more.
async fn see_off(database: &Database, webhooks: &Webhooks, claimed: Claimed) {
    let outcome = message::post(webhooks, &claimed).await;
    let word = outcome.word();
    tracing::debug!(delivery = %claimed.id, webhook = %claimed.webhook_id, outcome = word, "posted");
    database.meters().delivery(word);
    if settle::settle(database, &claimed, &outcome).await.is_err() {
        tracing::warn!(delivery = %claimed.id, "could not write down how a delivery went; it is sent again");
    }
}

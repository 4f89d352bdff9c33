//! Accepts connections, at most so many at a time, and knows when the last of them has ended.
//!
//! A health check must be answered most of all when there are as many users as there can be: a task that is taken for ill then
//! hands its users to the others, which are as full. So there are some connections more than places, on which little is served.

use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

use crate::{
    connection::{Limits, attend},
    descriptors,
    lifecycle::Lifecycle,
};

/// What the acceptor runs out of is given back by connections that end, so a short pause is enough.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);
/// How long a connection without a place waits for one: a client that hangs up and comes again may be seen in this order.
const WAIT_FOR_A_PLACE: Duration = Duration::from_millis(250);
/// How long whoever has no place may take over a request.
const HURRY: Duration = Duration::from_secs(2);

/// How many connections there may be.
pub(crate) struct Room {
    pub(crate) places: usize,
    pub(crate) beyond: Beyond,
}

/// What becomes of connections for which there is no place.
pub(crate) enum Beyond {
    /// They wait in the kernel's queue.
    Wait,
    /// A few of them at a time get answers from here.
    Answer(Router),
}

/// The places, and who has them.
struct Seats {
    places: Arc<Semaphore>,
    /// And what is served there.
    spare: Option<(Arc<Semaphore>, Router)>,
}

/// What a connection was let in on.
enum Seat {
    Place(OwnedSemaphorePermit),
    Spare(OwnedSemaphorePermit, Router),
}

/// Serves until the lifecycle stops, then until every connection has ended.
pub(crate) async fn serve(listener: TcpListener, router: Router, room: Room, limits: Limits, lifecycle: Lifecycle) {
    let connections = TaskTracker::new();
    let seats = Seats::of(room);
    while let Some((stream, seat)) = next(&listener, &seats, &lifecycle).await {
        let (router, lifecycle) = (router.clone(), lifecycle.clone());
        match seat {
            Seat::Place(place) => {
                let serving = attend(stream, router, limits, lifecycle);
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Seat::Spare(spare, crowded) => {
                let places = Arc::clone(&seats.places);
                connections.spawn(async move {
                    if let Ok(Ok(place)) = tokio::time::timeout(WAIT_FOR_A_PLACE, places.acquire_owned()).await {
                        drop(spare);
                        attend(stream, router, limits, lifecycle).await;
                        drop(place);
                    } else {
                        attend(stream, crowded, hurried(limits), lifecycle).await;
                        drop(spare);
                    }
                });
            }
        }
    }
    // The kernel has completed the handshake of these: closing the listener first would reset them.
    for stream in waiting(&listener).await {
        connections.spawn(attend(stream, router.clone(), limits, lifecycle.clone()));
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

fn hurried(limits: Limits) -> Limits {
    Limits {
        header: limits.header.min(HURRY),
        idle: limits.idle.min(HURRY),
        stalled: limits.stalled.min(HURRY),
        ..limits
    }
}

impl Seats {
    fn of(room: Room) -> Self {
        let seats = |number: usize| Arc::new(Semaphore::new(number.clamp(1, Semaphore::MAX_PERMITS)));
        Self {
            places: seats(room.places),
            spare: match room.beyond {
                Beyond::Wait => None,
                Beyond::Answer(crowded) => Some((seats(descriptors::SPARE), crowded)),
            },
        }
    }

    async fn next(&self) -> Option<Seat> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(Seat::Place(place));
        }
        match &self.spare {
            None => Some(Seat::Place(Arc::clone(&self.places).acquire_owned().await.ok()?)),
            Some((spare, crowded)) => {
                let spare = Arc::clone(spare).acquire_owned().await.ok()?;
                Some(Seat::Spare(spare, crowded.clone()))
            }
        }
    }
}

async fn next(listener: &TcpListener, seats: &Seats, lifecycle: &Lifecycle) -> Option<(TcpStream, Seat)> {
    let connection = async {
        let seat = seats.next().await?;
        loop {
            match accept(listener).await {
                Ok(stream) => return Some((stream, seat)),
                Err(cause) => {
                    tracing::warn!(%cause, "could not accept a connection");
                    tokio::time::sleep(PAUSE_AFTER_ACCEPT_ERROR).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = lifecycle.stopping() => None,
        connection = connection => connection,
    }
}

async fn waiting(listener: &TcpListener) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    while let Poll::Ready(Ok((stream, _))) = poll_fn(|context| Poll::Ready(listener.poll_accept(context))).await {
        streams.push(stream);
    }
    streams
}

async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

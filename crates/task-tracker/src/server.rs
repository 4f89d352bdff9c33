//! Accepts connections, at most so many at a time, and knows when the last of them has ended.

use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::task::TaskTracker;

use crate::{
    connection::{Limits, attend},
    lifecycle::Lifecycle,
};

/// What the acceptor runs out of is given back by connections that end, so a short pause is enough.
const PAUSE_AFTER_ACCEPT_ERROR: Duration = Duration::from_millis(100);

/// Serves until the lifecycle stops, then until every connection has ended.
pub(crate) async fn serve(listener: TcpListener, router: Router, most: usize, limits: Limits, lifecycle: Lifecycle) {
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
    let begin = |stream: TcpStream, place: Option<OwnedSemaphorePermit>| {
        let serving = attend(stream, router.clone(), limits, lifecycle.clone());
        connections.spawn(async move {
            serving.await;
            drop(place);
        });
    };

    while let Some((stream, place)) = next(&listener, &places, &lifecycle).await {
        begin(stream, Some(place));
    }
    // The kernel has completed the handshake of these: closing the listener first would reset them.
    for stream in waiting(&listener).await {
        begin(stream, None);
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn next(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    lifecycle: &Lifecycle,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let connection = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match accept(listener).await {
                Ok(stream) => return Some((stream, place)),
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

//! Connections to targets, kept open between requests.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddrV4;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::exchange::Failure;

/// What is sent to a target: a body read whole, or the client's as it arrives.
pub(super) type Outgoing = Either<Full<Bytes>, Incoming>;

/// How long an unused connection is kept. Far shorter than the keep-alive time of any usual server, so a target hardly ever
/// closes one at the moment it is used again.
const KEPT: Duration = Duration::from_secs(4);

/// How long a target may take to accept a connection ("the connection timeout (10 seconds)", Elastic Load Balancing, "Troubleshoot
/// your Application Load Balancers", HTTP 504).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Idle connections by target.
#[derive(Debug, Default)]
pub(in crate::elb) struct Pool {
    idle: Mutex<HashMap<SocketAddrV4, Vec<Idle>>>,
}

#[derive(Debug)]
struct Idle {
    connection: SendRequest<Outgoing>,
    since: Instant,
}

impl Pool {
    /// The connection used last: the others grow old and go.
    pub(super) fn take(&self, target: SocketAddrV4) -> Option<SendRequest<Outgoing>> {
        let mut idle = self.lock();
        let connections = idle.get_mut(&target)?;
        while let Some(Idle { connection, since }) = connections.pop() {
            if since.elapsed() < KEPT && connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// Keeps a connection once its answer has been read to the end; one that closes instead is forgotten.
    pub(super) fn give_back(self: &Arc<Self>, target: SocketAddrV4, mut connection: SendRequest<Outgoing>) {
        let pool = Arc::clone(self);
        tokio::spawn(async move {
            if connection.ready().await.is_ok() {
                let mut idle = pool.lock();
                let connections = idle.entry(target).or_default();
                connections.retain(|idle| idle.since.elapsed() < KEPT && !idle.connection.is_closed());
                connections.push(Idle {
                    connection,
                    since: Instant::now(),
                });
            }
        });
    }

    /// Closes idle connections to targets that get no new requests, and old ones.
    pub(in crate::elb) fn keep_only(&self, targets: &HashSet<SocketAddrV4>) {
        self.lock().retain(|target, connections| {
            connections.retain(|idle| idle.since.elapsed() < KEPT);
            targets.contains(target) && !connections.is_empty()
        });
    }

    /// Whether a kept connection to this target could be used now.
    #[cfg(test)]
    pub(in crate::elb) fn has_idle(&self, target: SocketAddrV4) -> bool {
        self.lock()
            .get(&target)
            .is_some_and(|idle| idle.iter().any(|idle| idle.connection.is_ready()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SocketAddrV4, Vec<Idle>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new connection to a target, ready for a request.
pub(super) async fn connect(target: SocketAddrV4) -> Result<SendRequest<Outgoing>, Failure> {
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(target))
        .await
        .map_err(|_| Failure::ConnectSlow)?
        .and_then(undelayed)
        .map_err(Failure::Connect)?;
    let (mut connection, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(Failure::Broken)?;
    tokio::spawn(async move {
        if let Err(cause) = driver.with_upgrades().await {
            tracing::debug!(%target, %cause, "a connection to a target ended early");
        }
    });
    connection.ready().await.map_err(Failure::Broken)?;
    Ok(connection)
}

fn undelayed(stream: TcpStream) -> io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

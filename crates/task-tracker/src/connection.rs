//! One HTTP/1.1 connection and how long it may do nothing.
//!
//! axum's own server has no time limit on request headers, and hyper's counts the idle time before them too, so a
//! limit short enough for a half-sent request would close every connection that a load balancer keeps for later.
//! Here a connection knows what it is doing and each doing has its own limit. It never looks into a request.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    io,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, body::Body, extract::Request, response::Response};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tower::ServiceExt;

use crate::{access::address::Peer, lifecycle::Lifecycle};

/// How long a connection may stay in each state that only the client can end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) header: Duration,
    pub(crate) idle: Duration,
    /// A client that does not take its response.
    pub(crate) stalled: Duration,
    /// While stopping: how long a silent connection may still bring the request its client had under way.
    pub(crate) linger: Duration,
    /// While stopping: how long a request whose headers have begun may take over them.
    pub(crate) last_header: Duration,
}

/// Serves one connection until it ends, oversteps a limit, or the process cuts it.
pub(crate) async fn attend(stream: TcpStream, router: Router, limits: Limits, lifecycle: Lifecycle) {
    let activity = Shared::default();
    let peer = stream.peer_addr().ok().map(Peer);
    let service = service_fn(|mut request: hyper::Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        answer(router.clone(), request, activity.clone())
    });
    let watched = Watched {
        stream,
        activity: activity.clone(),
    };
    let mut exchange = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(watched), service)
    );
    let mut cut = pin!(lifecycle.cut_off());
    let mut stopping = pin!(lifecycle.stopping());
    let mut pace = Pace::Serving;
    let mut alarm = pin!(tokio::time::sleep(limits.idle));

    poll_fn(|context| {
        if cut.as_mut().poll(context).is_ready() || exchange.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        if pace == Pace::Serving && stopping.as_mut().poll(context).is_ready() {
            pace = Pace::Stopping;
        }
        let Some(deadline) = activity.now().deadline(&limits, pace) else {
            return Poll::Pending;
        };
        // A later deadline is left to the next ring: resetting the timer on every request would cost more than it saves.
        if deadline < alarm.deadline() || alarm.is_elapsed() {
            alarm.as_mut().reset(deadline);
        }
        while alarm.as_mut().poll(context).is_ready() {
            if alarm.deadline() >= deadline {
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
        Poll::Pending
    })
    .await;
}

async fn answer(router: Router, request: hyper::Request<Incoming>, activity: Shared) -> Result<Response, Infallible> {
    activity.set(Activity::Answering);
    let response = router.oneshot(request.map(Body::new) as Request).await;
    activity.set(Activity::Quiet { since: Instant::now() });
    response
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pace {
    Serving,
    Stopping,
}

#[derive(Debug, Clone, Copy)]
enum Activity {
    /// Between requests.
    Quiet { since: Instant },
    /// Bytes of a request have arrived, its headers are not complete.
    ReadingHead { since: Instant },
    /// The router has the request; the request's own time limit applies.
    Answering,
    /// The client does not take what was written for it.
    Blocked { since: Instant },
}

impl Activity {
    fn deadline(self, limits: &Limits, pace: Pace) -> Option<Instant> {
        match (self, pace) {
            (Self::Quiet { since }, Pace::Serving) => Some(since + limits.idle),
            (Self::Quiet { since }, Pace::Stopping) => Some(since + limits.linger),
            (Self::ReadingHead { since }, Pace::Serving) => Some(since + limits.header),
            (Self::ReadingHead { since }, Pace::Stopping) => Some(since + limits.last_header.min(limits.header)),
            (Self::Blocked { since }, Pace::Serving | Pace::Stopping) => Some(since + limits.stalled),
            (Self::Answering, Pace::Serving | Pace::Stopping) => None,
        }
    }

    fn after_reading(self, now: Instant) -> Self {
        match self {
            Self::Quiet { .. } => Self::ReadingHead { since: now },
            Self::ReadingHead { .. } | Self::Answering | Self::Blocked { .. } => self,
        }
    }

    fn after_writing(self, now: Instant) -> Self {
        match self {
            Self::Quiet { .. } | Self::Blocked { .. } => Self::Quiet { since: now },
            Self::ReadingHead { .. } | Self::Answering => self,
        }
    }

    fn when_blocked(self, now: Instant) -> Self {
        match self {
            Self::Quiet { .. } => Self::Blocked { since: now },
            Self::Blocked { .. } | Self::ReadingHead { .. } | Self::Answering => self,
        }
    }
}

/// What the connection is doing now; only its own task writes it, the lock is never contended.
#[derive(Clone)]
struct Shared(Arc<Mutex<Activity>>);

impl Default for Shared {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Activity::Quiet { since: Instant::now() })))
    }
}

impl Shared {
    fn now(&self) -> Activity {
        *self.lock()
    }

    fn set(&self, activity: Activity) {
        *self.lock() = activity;
    }

    fn change(&self, change: impl FnOnce(Activity, Instant) -> Activity) {
        let mut activity = self.lock();
        *activity = change(*activity, Instant::now());
    }

    fn lock(&self) -> MutexGuard<'_, Activity> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The socket, telling `Activity` of every byte that moves or fails to.
struct Watched {
    stream: TcpStream,
    activity: Shared,
}

impl Watched {
    fn note_write(&self, written: &Poll<io::Result<usize>>) {
        match written {
            Poll::Ready(_) => self.activity.change(Activity::after_writing),
            Poll::Pending => self.activity.change(Activity::when_blocked),
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.change(Activity::after_reading);
        }
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note_write(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.note_write(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        header: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        stalled: Duration::from_secs(30),
        linger: Duration::from_millis(500),
        last_header: Duration::from_secs(2),
    };

    #[test]
    fn every_doing_has_its_own_limit() {
        let since = Instant::now();
        for (activity, serving, stopping) in [
            (Activity::Quiet { since }, Some(LIMITS.idle), Some(LIMITS.linger)),
            (
                Activity::ReadingHead { since },
                Some(LIMITS.header),
                Some(LIMITS.last_header),
            ),
            (Activity::Blocked { since }, Some(LIMITS.stalled), Some(LIMITS.stalled)),
            (Activity::Answering, None, None),
        ] {
            let limit = |pace| activity.deadline(&LIMITS, pace).map(|deadline| deadline - since);
            assert_eq!(
                (limit(Pace::Serving), limit(Pace::Stopping)),
                (serving, stopping),
                "{activity:?}"
            );
        }
    }

    #[test]
    fn the_clock_of_a_head_starts_with_its_first_byte_and_is_not_reset_by_the_next() {
        let first = Instant::now();
        let later = first + Duration::from_secs(5);
        let reading = Activity::Quiet { since: first }
            .after_reading(first)
            .after_reading(later);
        assert!(matches!(reading, Activity::ReadingHead { since } if since == first));
    }

    #[test]
    fn a_blocked_write_keeps_its_first_moment_until_something_moves() {
        let first = Instant::now();
        let later = first + Duration::from_secs(5);
        let blocked = Activity::Quiet { since: first }.when_blocked(first).when_blocked(later);
        assert!(matches!(blocked, Activity::Blocked { since } if since == first));
        assert!(matches!(blocked.after_writing(later), Activity::Quiet { since } if since == later));
    }
}

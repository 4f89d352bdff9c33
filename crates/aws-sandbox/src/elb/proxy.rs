//! The data plane of a load balancer: one accept loop per listener, one hyper connection per client.
//!
//! Owns what happens to a request between its client and its target. Which target that may be is [`Routes`]' business.

mod exchange;
mod headers;
mod meter;
mod page;
mod pool;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ListenError;
use super::condition::Seen;
use super::routes::{Destination, Group, Routes};
use exchange::{Exchange, Failure};
pub(super) use meter::Meter;
pub(super) use pool::Pool;

/// What goes back to a client: the target's own body as it arrives, or a page of the load balancer's.
type Body = Either<Incoming, Full<Bytes>>;

/// How long the system refuses to hand out a connection before accepting is tried again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// A listener that accepts connections until it is dropped.
#[derive(Debug)]
pub(super) struct Running {
    routes: Arc<ArcSwap<Routes>>,
    _stop: DropGuard,
}

/// What every request of a listener needs.
#[derive(Debug)]
struct Front {
    routes: Arc<ArcSwap<Routes>>,
    pool: Arc<Pool>,
    meter: Meter,
    port: u16,
}

/// Opens a listener's port.
pub(super) async fn bind(address: SocketAddrV4) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address)
        .await
        .map_err(|cause| ListenError { address, cause })
}

impl Running {
    /// Starts accepting. Until the first [`Running::publish`] every request is answered with 503.
    pub(super) fn start(listener: TcpListener, port: u16, pool: Arc<Pool>, meter: Meter) -> Self {
        let routes = Arc::new(ArcSwap::from_pointee(Routes::default()));
        let front = Arc::new(Front {
            routes: Arc::clone(&routes),
            pool,
            meter,
            port,
        });
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, front, stop.clone()));
        Self {
            routes,
            _stop: stop.drop_guard(),
        }
    }

    /// The next request goes by these routes.
    pub(super) fn publish(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }
}

async fn accept(listener: TcpListener, front: Arc<Front>, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, SocketAddr::V4(client))) => {
                tokio::spawn(connection(stream, *client.ip(), Arc::clone(&front), stop.clone()));
            }
            Ok((_, SocketAddr::V6(_))) => {}
            // Out of file descriptors, or the client is gone again: neither may end the listener.
            Err(cause) => {
                tracing::debug!(%cause, "could not accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// One client connection with all its requests. A listener that goes away lets the current one finish.
async fn connection(stream: TcpStream, client: Ipv4Addr, front: Arc<Front>, stop: CancellationToken) {
    // Without this small answers wait for the client's delayed acknowledgement; an error here costs only that.
    let undelayed = stream.set_nodelay(true);
    drop(undelayed);
    let service = service_fn(|request| {
        let front = Arc::clone(&front);
        async move { Ok::<_, Infallible>(front.answer(request, client).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(front.routes.load().idle_timeout())
        // The target's headers are passed on as they are.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(cause) = ended {
        tracing::debug!(%cause, "a client connection ended early");
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>, client: Ipv4Addr) -> Response<Body> {
        // A full Arc: a request may outlive many tables, and a guard held that long would slow the others down.
        let routes = self.routes.load_full();
        let host = headers::host(&request);
        let seen = Seen {
            method: request.method(),
            host: host.split(':').next().unwrap_or_default(),
            path: request.uri().path(),
            query: request.uri().query().unwrap_or_default(),
            headers: request.headers(),
            from: client,
        };
        match routes.find(&seen) {
            Some(Destination::Forward(weighted)) => match weighted.choose() {
                Some(group) => self.forward(request, client, group, routes.idle_timeout()).await,
                None => self.refuse(StatusCode::SERVICE_UNAVAILABLE),
            },
            Some(Destination::FixedResponse {
                status,
                content_type,
                body,
            }) => page::fixed(*status, content_type.as_deref(), body.as_deref()),
            Some(Destination::Redirect(redirect)) => page::redirect(redirect, &seen, self.port),
            None => self.refuse(StatusCode::SERVICE_UNAVAILABLE),
        }
    }

    /// Sends a request to the group's next target and measures it once.
    async fn forward(
        &self,
        request: Request<Incoming>,
        client: Ipv4Addr,
        group: &Group,
        patience: Duration,
    ) -> Response<Body> {
        let Some(target) = group.next() else {
            return self.refuse(StatusCode::SERVICE_UNAVAILABLE);
        };
        let started = Instant::now();
        let exchange = Exchange {
            pool: &self.pool,
            target,
            patience,
        };
        match exchange.carry(request, client, self.port).await {
            Ok(response) => {
                self.meter.answered(group, response.status(), started.elapsed());
                response.map(Either::Left)
            }
            Err(failure) => {
                tracing::debug!(%target, error = %crate::front::chain(&failure), "no answer from a target");
                let status = match failure {
                    Failure::Slow | Failure::ConnectSlow => StatusCode::GATEWAY_TIMEOUT,
                    Failure::Connect(_) | Failure::Broken(_) => StatusCode::BAD_GATEWAY,
                    Failure::Client(_) => StatusCode::BAD_REQUEST,
                };
                self.meter.failed(group, status, &failure);
                page::of(status)
            }
        }
    }

    fn refuse(&self, status: StatusCode) -> Response<Body> {
        self.meter.refused(status);
        page::of(status)
    }
}

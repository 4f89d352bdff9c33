//! A program behind the load balancer.

use std::convert::Infallible;
use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::stream;
use http::{Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::elb::Target;

/// Runs until dropped; then all its connections break.
pub(super) struct Program {
    address: SocketAddrV4,
    pub(super) state: Arc<State>,
    _running: AbortOnDropHandle<()>,
}

/// What a test can see of a program and tell it.
pub(super) struct State {
    name: &'static str,
    pub(super) healthy: AtomicBool,
    /// Requests apart from health checks.
    pub(super) requests: AtomicUsize,
    /// Lets what `/hold` and `/stream` wait for go on.
    pub(super) go_on: Notify,
}

impl Program {
    pub(super) async fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let SocketAddr::V4(address) = listener.local_addr().unwrap() else {
            unreachable!("bound to IPv4")
        };
        let state = Arc::new(State {
            name,
            healthy: AtomicBool::new(true),
            requests: AtomicUsize::new(0),
            go_on: Notify::new(),
        });
        let running = AbortOnDropHandle::new(tokio::spawn(accept(listener, Arc::clone(&state))));
        Self {
            address,
            state,
            _running: running,
        }
    }

    pub(super) fn target(&self) -> Target {
        Target {
            ip: *self.address.ip(),
            port: self.address.port(),
        }
    }

    pub(super) fn requests(&self) -> usize {
        self.state.requests.load(Ordering::SeqCst)
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(|request| {
                let state = Arc::clone(&state);
                async move { Ok::<_, Infallible>(answer(request, state).await) }
            });
            drop(
                http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .with_upgrades()
                    .await,
            );
        });
    }
}

async fn answer(mut request: Request<Incoming>, state: Arc<State>) -> Response<BoxBody<Bytes, Infallible>> {
    if request.uri().path() == "/readyz" {
        let healthy = state.healthy.load(Ordering::SeqCst);
        return text(
            if healthy {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            },
            "",
        );
    }
    state.requests.fetch_add(1, Ordering::SeqCst);
    match request.uri().path() {
        "/echo" => {
            let body = request.body_mut().collect().await.unwrap().to_bytes();
            text(StatusCode::OK, &String::from_utf8_lossy(&body))
        }
        "/headers" => {
            let mut lines: Vec<String> = request
                .headers()
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            lines.sort();
            text(StatusCode::OK, &lines.join("\n"))
        }
        "/hold" => {
            state.go_on.notified().await;
            text(StatusCode::OK, state.name)
        }
        "/missing" => text(StatusCode::NOT_FOUND, state.name),
        "/fail" => text(StatusCode::INTERNAL_SERVER_ERROR, state.name),
        "/close" => {
            let mut response = text(StatusCode::OK, state.name);
            response
                .headers_mut()
                .insert(header::CONNECTION, header::HeaderValue::from_static("close"));
            response
        }
        "/stream" => Response::new(streamed(state)),
        "/upgrade" => {
            tokio::spawn(async move {
                let io = hyper::upgrade::on(&mut request).await.unwrap();
                let (mut read, mut write) = tokio::io::split(TokioIo::new(io));
                drop(tokio::io::copy(&mut read, &mut write).await);
            });
            let mut response = text(StatusCode::SWITCHING_PROTOCOLS, "");
            response
                .headers_mut()
                .insert(header::CONNECTION, header::HeaderValue::from_static("upgrade"));
            response
                .headers_mut()
                .insert(header::UPGRADE, header::HeaderValue::from_static("echo"));
            response
        }
        _ => text(StatusCode::OK, state.name),
    }
}

/// "one", then, when told, "two".
fn streamed(state: Arc<State>) -> BoxBody<Bytes, Infallible> {
    let frames = stream::unfold(0, move |step| {
        let state = Arc::clone(&state);
        async move {
            let text = match step {
                0 => "one",
                1 => {
                    state.go_on.notified().await;
                    "two"
                }
                _ => return None,
            };
            Some((Ok(Frame::data(Bytes::from_static(text.as_bytes()))), step + 1))
        }
    });
    StreamBody::new(frames).boxed()
}

fn text(status: StatusCode, body: &str) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::from(body.to_owned()).boxed());
    *response.status_mut() = status;
    response
}

//! The HTTP server: one port for every service.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::header::CONTENT_LENGTH;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::call::{Call, Reply};
use super::counts::Counts;
use super::faults::{Effect, Faults};
use super::persist::StateDir;
use super::refusal::Refusal;
use super::route::{self, Route};
use super::scope::Scope;
use super::service::{Protocol, Service};
use super::{admin, chain};
use crate::clock::Clock;
use crate::services::Services;

/// An S3 part has at most 5 GiB on AWS; nobody rehearses with more than this.
const LARGEST_BODY: usize = 1 << 30;
/// Calls in flight get this long when the sandbox stops.
const FAREWELL: Duration = Duration::from_secs(2);
/// A body that pauses is sent as far as it is there.
const FLUSHED: Duration = Duration::from_millis(20);

/// What every request needs.
pub(crate) struct Front {
    pub(crate) account: String,
    pub(crate) clock: Clock,
    pub(crate) services: Services,
    pub(crate) counts: Counts,
    pub(crate) faults: Faults,
    pub(crate) state: StateDir,
    /// Cancelled when somebody asked the sandbox to stop.
    pub(crate) stop: CancellationToken,
}

type Answer = Response<BoxBody<Bytes, io::Error>>;

/// The connection is cut without an answer, as if the network had failed.
#[derive(Debug, thiserror::Error)]
#[error("a fault asked for this answer to be lost")]
struct Dropped;

/// Binds the port. Taken ports are the caller's to explain.
pub(crate) async fn bind(address: SocketAddrV4) -> io::Result<TcpListener> {
    TcpListener::bind(address).await
}

/// Serves until `closing`, then lets calls in flight finish.
pub(crate) async fn serve(listener: TcpListener, front: Arc<Front>, closing: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = closing.cancelled() => break,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(converse(stream, Arc::clone(&front), closing.clone()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others may become free.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    connections.close();
    if tokio::time::timeout(FAREWELL, connections.wait()).await.is_err() {
        tracing::debug!("calls in flight were cut off");
    }
}

async fn converse(stream: TcpStream, front: Arc<Front>, closing: CancellationToken) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "the connection keeps Nagle's algorithm");
    }
    let service = service_fn(move |request| {
        let front = Arc::clone(&front);
        async move { front.answer(request).await }
    });
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(error = %chain(&*error), "a connection ended early");
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Dropped> {
        let (parts, body) = request.into_parts();
        let scope = Scope::of(&parts);
        let path = parts.uri.path();
        if scope.is_none() && (path == "/v2" || path.starts_with("/v2/")) {
            return Ok(self.services.registry.answer(parts, body).await);
        }
        let body = match Limited::new(body, LARGEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                let refusal = Refusal::new(
                    StatusCode::BAD_REQUEST,
                    "RequestTimeout",
                    format!("the body did not arrive whole: {error}"),
                );
                return Ok(whole(refusal.reply(route::protocol(&parts), &request_id())));
            }
        };
        if path.starts_with(admin::PREFIX) {
            return Ok(whole(admin::answer(self, &parts, &body)));
        }
        self.call(parts, body, scope).await
    }

    async fn call(&self, parts: http::request::Parts, body: Bytes, scope: Option<Scope>) -> Result<Answer, Dropped> {
        let request_id = request_id();
        let protocol = route::protocol(&parts);
        let Some(scope) = scope else {
            return Ok(whole(Refusal::unsigned().reply(protocol, &request_id)));
        };
        let Some(Route {
            service,
            operation,
            protocol,
        }) = route::route(&parts, &body, &scope)
        else {
            return Ok(whole(
                Refusal::unknown_service(&scope.service).reply(protocol, &request_id),
            ));
        };
        let name = format!("{service}:{operation}");
        self.counts.add(&name);
        let fault = self.faults.hit(&name);
        if scope.access_key.starts_with("EXPIRED") {
            return Ok(whole(Refusal::expired(protocol).reply(protocol, &request_id)));
        }
        if let Some(refusal) = self.suffer(fault.as_ref(), protocol).await {
            return Ok(whole(refusal.reply(protocol, &request_id)));
        }
        let account = self.account.clone();
        let call = Call {
            region: scope.region,
            account,
            operation,
            request_id,
            parts,
            body,
        };
        let reply = self.perform(service, &call).await;
        let reply = self.kept(reply, protocol, &call).await;
        tracing::debug!(call = name, status = reply.status().as_u16(), "answered");
        match fault {
            Some(Effect::DropResponse(_)) => Err(Dropped),
            Some(Effect::CutAfterBytes(bytes)) => Ok(cut(reply, bytes).await),
            Some(Effect::Throttle(_) | Effect::Error { .. } | Effect::DelayMs(_) | Effect::ExpiredToken(_)) | None => {
                Ok(whole(reply))
            }
        }
    }

    async fn suffer(&self, fault: Option<&Effect>, protocol: Protocol) -> Option<Refusal> {
        match fault? {
            Effect::Throttle(_) => Some(Refusal::throttled(protocol)),
            Effect::ExpiredToken(_) => Some(Refusal::expired(protocol)),
            Effect::Error { code, status } => {
                let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                Some(Refusal::new(status, code, "A fault was asked for."))
            }
            Effect::DelayMs(milliseconds) => {
                tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
                None
            }
            Effect::DropResponse(_) | Effect::CutAfterBytes(_) => None,
        }
    }

    async fn perform(&self, service: Service, call: &Call) -> Reply {
        let services = &self.services;
        match service {
            Service::Ecs => crate::ecs::answer(&services.ecs, call),
            Service::ElasticLoadBalancing => services.elb.answer(call).await,
            Service::CloudWatch => services.cloudwatch.answer(call),
            Service::Logs => services.logs.answer(call),
            Service::S3 => services.s3.answer(call).await,
            Service::SecretsManager => services.secrets.answer(call),
            Service::Sts => crate::sts::reply(call),
            Service::Ecr => crate::ecr::reply(call, &services.endpoint),
            Service::Rds => services.rds.answer(call),
        }
    }

    /// A call that changed something is answered once that is on disk: whoever has the answer finds it after a crash.
    async fn kept(&self, reply: Reply, protocol: Protocol, call: &Call) -> Reply {
        if route::only_looks(&call.operation) || !reply.status().is_success() {
            return reply;
        }
        let state = self.state.clone();
        match tokio::task::spawn_blocking(move || state.save()).await {
            Ok(Ok(())) => reply,
            Ok(Err(error)) => Refusal::state_not_written(&chain(&error)).reply(protocol, &call.request_id),
            Err(error) => Refusal::state_not_written(&chain(&error)).reply(protocol, &call.request_id),
        }
    }
}

fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn whole(reply: Reply) -> Answer {
    reply.map(|body: Full<Bytes>| body.map_err(|never| match never {}).boxed())
}

/// Says how long the body is and breaks the connection before its end.
async fn cut(reply: Reply, after: usize) -> Answer {
    let (mut parts, body) = reply.into_parts();
    let body = match body.collect().await {
        Ok(body) => body.to_bytes(),
        Err(never) => match never {},
    };
    if body.len() <= after {
        return whole(Response::from_parts(parts, Full::new(body)));
    }
    parts.headers.insert(CONTENT_LENGTH, body.len().into());
    let first = stream::iter([Ok(Frame::data(body.slice(..after)))]);
    let broken = stream::once(async {
        // What hyper still holds when the body fails is never sent.
        tokio::time::sleep(FLUSHED).await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Response::from_parts(parts, BodyExt::boxed(StreamBody::new(first.chain(broken))))
}

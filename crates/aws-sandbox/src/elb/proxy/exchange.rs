//! One request and its answer over a connection to a target.
//!
//! A kept connection may have been closed by the target at the very moment it is used again. Then nothing of an answer has
//! been read, and the request is sent once more over a fresh connection, provided that it surely was not carried out: it was
//! never written, or carrying it out twice is the same as once (RFC 9110, 9.2.2) and its body is still at hand.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;

use super::headers;
use super::pool::{self, Outgoing, Pool};

/// The largest body that is read whole before it is sent, so that it can be sent again.
const REPLAYABLE: u64 = 64 * 1024;

/// Why there is no answer from a target.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("could not connect to the target")]
    Connect(#[source] io::Error),
    #[error("the target did not accept a connection in time")]
    ConnectSlow,
    #[error("the connection to the target broke before its answer")]
    Broken(#[source] hyper::Error),
    #[error("the target did not answer in time")]
    Slow,
    #[error("could not read the request of the client")]
    Client(#[source] hyper::Error),
}

/// Where a request goes and how long an answer is waited for.
pub(super) struct Exchange<'a> {
    pub(super) pool: &'a Arc<Pool>,
    pub(super) target: SocketAddrV4,
    pub(super) patience: Duration,
}

/// An answer whose body is still to be read, and the connection it arrives on.
type Answered = (Response<Incoming>, SendRequest<Outgoing>);

impl Exchange<'_> {
    /// Carries a request to the target and its answer back.
    pub(super) async fn carry(
        &self,
        request: Request<Incoming>,
        client: Ipv4Addr,
        port: u16,
    ) -> Result<Response<Incoming>, Failure> {
        let (mut parts, body) = request.into_parts();
        let upgrade = headers::upgrade(&parts.headers)
            .and_then(|protocol| Some((protocol, parts.extensions.remove::<OnUpgrade>()?)));
        headers::to_target(&mut parts, client, port);
        if let Some((protocol, client)) = upgrade {
            headers::ask_for_upgrade(&mut parts.headers, &protocol);
            return self
                .switch_protocols(Request::from_parts(parts, Either::Right(body)), client)
                .await;
        }
        let body = readable_again(&parts, body).await?;
        let (mut response, connection) = self.send(Request::from_parts(parts, body)).await?;
        self.pool.give_back(self.target, connection);
        headers::to_client(response.headers_mut());
        Ok(response)
    }

    /// Over a kept connection if there is one, else, or if that one turns out stale, over a fresh one.
    async fn send(&self, mut request: Request<Outgoing>) -> Result<Answered, Failure> {
        if let Some(connection) = self.pool.take(self.target) {
            let copy = replay(&request);
            match self.attempt(connection, request).await {
                Ok(answered) => return Ok(answered),
                Err(Attempt::Unwritten(unwritten)) => request = *unwritten,
                Err(Attempt::Failed(Failure::Broken(cause))) => request = copy.ok_or(Failure::Broken(cause))?,
                Err(Attempt::Failed(failure)) => return Err(failure),
            }
        }
        self.send_afresh(request).await
    }

    async fn send_afresh(&self, request: Request<Outgoing>) -> Result<Answered, Failure> {
        match self.attempt(pool::connect(self.target).await?, request).await {
            Ok(answered) => Ok(answered),
            Err(Attempt::Failed(failure)) => Err(failure),
            Err(Attempt::Unwritten(_)) => Err(Failure::Connect(io::ErrorKind::ConnectionReset.into())),
        }
    }

    async fn attempt(
        &self,
        mut connection: SendRequest<Outgoing>,
        request: Request<Outgoing>,
    ) -> Result<Answered, Attempt> {
        match tokio::time::timeout(self.patience, connection.try_send_request(request)).await {
            Err(_) => Err(Attempt::Failed(Failure::Slow)),
            Ok(Ok(response)) => Ok((response, connection)),
            Ok(Err(mut refused)) => Err(match refused.take_message() {
                Some(request) => Attempt::Unwritten(Box::new(request)),
                None => Attempt::Failed(blame(refused.into_error())),
            }),
        }
    }

    /// A WebSocket and the like: when the target agrees, both connections become one pipe. Never over a kept connection.
    async fn switch_protocols(
        &self,
        request: Request<Outgoing>,
        client: OnUpgrade,
    ) -> Result<Response<Incoming>, Failure> {
        let (mut response, _connection) = self.send_afresh(request).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            headers::to_client(response.headers_mut());
            return Ok(response);
        }
        let (server, target) = (hyper::upgrade::on(&mut response), self.target);
        tokio::spawn(async move {
            if let Err(cause) = pipe(client, server).await {
                tracing::debug!(%target, %cause, "an upgraded connection ended early");
            }
        });
        Ok(response)
    }
}

async fn pipe(client: OnUpgrade, server: OnUpgrade) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (client, server) = (client.await?, server.await?);
    tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(server)).await?;
    Ok(())
}

enum Attempt {
    /// Nothing of it went out.
    Unwritten(Box<Request<Outgoing>>),
    Failed(Failure),
}

/// Reads a short body whole; a long one, or one of unknown length, is passed on as it arrives.
async fn readable_again(parts: &Parts, body: Incoming) -> Result<Outgoing, Failure> {
    if body.is_end_stream() {
        return Ok(Either::Left(Full::default()));
    }
    let short = body.size_hint().exact().is_some_and(|length| length <= REPLAYABLE);
    if !short || parts.headers.contains_key(header::TRAILER) {
        return Ok(Either::Right(body));
    }
    let whole = body.collect().await.map_err(Failure::Client)?;
    Ok(Either::Left(Full::new(whole.to_bytes())))
}

/// A body that the client stopped sending is no fault of the target's.
fn blame(cause: hyper::Error) -> Failure {
    if cause.is_user() {
        Failure::Client(cause)
    } else {
        Failure::Broken(cause)
    }
}

/// The request once more, if it may be repeated.
fn replay(request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
    let Either::Left(body) = request.body() else {
        return None;
    };
    if !request.method().is_idempotent() {
        return None;
    }
    let mut copy = Request::new(Either::Left(body.clone()));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

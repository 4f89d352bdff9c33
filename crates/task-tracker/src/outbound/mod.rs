//! Requests that the service itself makes: to receivers of webhooks, to the bucket of attachments, for its credentials.
//!
//! Each is one connection to an address that was looked at first, so that a name cannot lead elsewhere between the look
//! and the connection. There is nothing here that would follow a redirect, use a proxy, keep a connection, or read more
//! than a few kilobytes of an answer.

mod authorities;
mod dial;
mod network;
mod reach;

pub(crate) use authorities::Authorities;
pub(crate) use network::Networks;
pub(crate) use reach::{Reach, Unreachable};

use std::{io, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, header},
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::outbound::dial::Dialler;

/// Of an answer's body.
const LARGEST_ANSWER: usize = 16 * 1024;
/// Of an answer's head.
const LARGEST_HEAD: usize = 16 * 1024;

/// Makes the requests; cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbound(Dialler);

/// What to send.
pub(crate) struct Outgoing {
    method: Method,
    headers: HeaderMap,
    body: Bytes,
}

/// What came back; of a longer body, none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

/// Why there is no answer. None of the texts names an address: whoever reads them may be the one who is looking for some.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unanswered {
    #[error("the address cannot be used")]
    Address(#[source] Unreachable),
    #[error("could not connect")]
    Connect(#[source] io::Error),
    #[error("could not agree on TLS")]
    Tls(#[source] io::Error),
    #[error("the exchange broke off")]
    Exchange(#[source] hyper::Error),
    #[error("the request cannot be written")]
    Malformed(#[source] axum::http::Error),
    #[error("no answer in time")]
    TimedOut,
}

impl Outgoing {
    pub(crate) fn new(method: Method) -> Self {
        Self {
            method,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    pub(crate) fn body(self, body: Bytes) -> Self {
        Self { body, ..self }
    }

    fn to(self, url: &Url) -> Result<Request<Full<Bytes>>, axum::http::Error> {
        let path = url.path();
        let target = url
            .query()
            .map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let host = url.host_str().unwrap_or_default();
        let host = url
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut request = Request::builder()
            .method(self.method)
            .uri(target)
            .header(header::HOST, host)
            .header(header::CONNECTION, "close")
            .body(Full::new(self.body))?;
        request.headers_mut().extend(self.headers);
        Ok(request)
    }
}

impl Outbound {
    /// To whom anybody would believe that they are who they say.
    pub(crate) fn new() -> Self {
        Self::believing(&Authorities::default())
    }

    pub(crate) fn believing(authorities: &Authorities) -> Self {
        Self(Dialler::new(authorities))
    }

    /// Sends once, and waits at most this long for all of it.
    pub(crate) async fn send(
        &self,
        url: &Url,
        reach: &Reach,
        outgoing: Outgoing,
        patience: Duration,
    ) -> Result<Answer, Unanswered> {
        tokio::time::timeout(patience, self.exchange(url, reach, outgoing))
            .await
            .unwrap_or(Err(Unanswered::TimedOut))
    }

    async fn exchange(&self, url: &Url, reach: &Reach, outgoing: Outgoing) -> Result<Answer, Unanswered> {
        let request = outgoing.to(url).map_err(Unanswered::Malformed)?;
        let addresses = reach.addresses(url).await.map_err(Unanswered::Address)?;
        let stream = self.0.dial(url, &addresses).await?;
        let (mut sender, connection) = http1::Builder::new()
            .max_buf_size(LARGEST_HEAD)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(Unanswered::Exchange)?;
        // Ends with this exchange, answered or not.
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let response = sender.send_request(request).await.map_err(Unanswered::Exchange)?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, LARGEST_ANSWER).collect().await;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.ok().map(http_body_util::Collected::to_bytes),
        })
    }
}

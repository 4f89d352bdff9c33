//! What an operator sees of a request: its id, its release, its log lines, its metrics.
//!
//! Labels come from the matched route only, so a scanner of paths cannot make time series.

mod metrics;
mod series;

use std::{convert::Infallible, fmt, time::Instant};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::Response,
};
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use self::metrics::{Listening, Metrics};
use crate::{router::Context, trace};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const RELEASE: HeaderName = HeaderName::from_static("x-release");

/// Wraps every request, answered or refused.
pub(crate) async fn observe<A: Future<Output = Response>>(
    context: &Context,
    mut request: Request,
    answer: impl FnOnce(Request) -> A,
) -> Response {
    let begun = Instant::now();
    let id = request_id(request.headers());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("<unmatched>", MatchedPath::as_str);
    let span = tracing::info_span!(
        "request",
        id = id.to_str().unwrap_or_default(),
        %method,
        route,
        trace = tracing::field::Empty
    );

    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match &context.traces {
        None => answer(request).instrument(span.clone()).await,
        Some(traces) => {
            let headers = request.headers().clone();
            let work = async {
                if let Some(id) = trace::id() {
                    span.record("trace", &*id);
                }
                answer(request).instrument(span.clone()).await
            };
            Box::pin(traces.request((&method, route), &headers, work)).await
        }
    };

    let status = response.status();
    let took = begun.elapsed();
    context.meters.request(&method, route, status, took);
    span.in_scope(|| {
        if status.is_server_error() {
            tracing::warn!(status = status.as_u16(), ms = took.as_millis(), "answered");
        } else {
            tracing::debug!(status = status.as_u16(), ms = took.as_millis(), "answered");
        }
    });
    let headers = response.headers_mut();
    headers.insert(RELEASE, context.release.clone());
    headers.insert(REQUEST_ID, id);
    if context.lifecycle.is_draining() {
        // hyper closes the connection behind this response, so its client takes the next request elsewhere.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// By which the log, the audit trail and the client speak of one request.
#[derive(Clone)]
pub(crate) struct RequestId(HeaderValue);

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let unknown = || Self(HeaderValue::from_static("unknown"));
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(unknown))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// The caller's id if it is a sane one, so that one id runs through proxy, service and log.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    headers
        .get(REQUEST_ID)
        .filter(|id| (1..=100).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic))
        .cloned()
        .or_else(|| HeaderValue::from_str(&Uuid::now_v7().to_string()).ok())
        .unwrap_or(HeaderValue::from_static("unknown"))
}

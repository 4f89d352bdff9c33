//! What an operator sees of a request: its id, its release, its log lines, its metrics.
//!
//! Labels come from the matched route only, so a scanner of paths cannot make time series.

mod about;
mod metrics;
mod series;

use std::{convert::Infallible, fmt, time::Instant};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request},
    http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts},
    response::Response,
};
use uuid::Uuid;

use self::about::About;
pub(crate) use self::{
    about::Line,
    metrics::{Listening, Metrics},
};
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
    let mut about = About {
        id: id.clone(),
        method: method.clone(),
        route: route.clone(),
        trace: None,
    };
    let route = about::known(route.as_ref());

    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = match &context.traces {
        None => about::of(about, told(begun, answer(request))).await,
        Some(traces) => {
            let headers = request.headers().clone();
            let work = async {
                about.trace = trace::id();
                about::of(about, told(begun, answer(request))).await
            };
            Box::pin(traces.request((&method, route), &headers, work)).await
        }
    };
    context
        .meters
        .request(&method, route, response.status(), begun.elapsed());
    let headers = response.headers_mut();
    headers.insert(RELEASE, context.release.clone());
    headers.insert(REQUEST_ID, id);
    // Here, so that no endpoint can forget it: what it answers is somebody's own, and nothing else than it says it is. What
    // the API's description has of itself may be kept.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if context.lifecycle.is_draining() {
        // hyper closes the connection behind this response, so its client takes the next request elsewhere.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Logs how it ended.
async fn told(begun: Instant, answer: impl Future<Output = Response>) -> Response {
    let response = answer.await;
    let (status, took) = (response.status(), begun.elapsed());
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), ms = took.as_millis(), "answered");
    } else {
        tracing::debug!(status = status.as_u16(), ms = took.as_millis(), "answered");
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

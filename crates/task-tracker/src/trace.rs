//! Traces of requests, sent to an OpenTelemetry collector when the environment names one.
//!
//! A request is a span, and each use of the database in it is one below. They say which operation it was, how it ended and how
//! long it took; never who asked, for what, or with which words. Endpoint, headers, sampling and the rest are OpenTelemetry's own
//! variables (OpenTelemetry Specification, Environment Variables and OTLP Exporter), read by its own code. Without an endpoint there
//! is nothing here that costs anything.

use std::{env, fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{FutureExt, Span, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_http::{Bytes, HeaderExtractor, HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};
use tokio::runtime::Handle;

use crate::{config::ReleaseName, operation::Name};

/// How long the last spans may take to leave when the service ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// One delivery to the collector; what it is asked to wait beyond is the exporter's own limit.
const DELIVERY: Duration = Duration::from_secs(10);

/// Where spans begin and go; the same for all clones.
#[derive(Clone)]
pub(crate) struct Traces(Arc<Origin>);

struct Origin {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    propagator: TraceContextPropagator,
}

/// Traces are wanted and cannot be sent as the environment says.
#[derive(Debug, thiserror::Error)]
pub enum NoTraces {
    /// An endpoint, a protocol or a compression that the exporter does not take.
    #[error("the OTEL_EXPORTER_OTLP_… variables cannot be used")]
    Exporter(#[source] ExporterBuildError),
    /// The client refused its own settings.
    #[error("could not set up an HTTP client for traces")]
    Client(#[source] reqwest::Error),
}

impl Traces {
    /// None when the environment names no endpoint. To be called where tokio runs: deliveries use its threads.
    pub(crate) fn from_environment(release: &ReleaseName) -> Result<Option<Self>, NoTraces> {
        if !are_wanted(|name| env::var(name).ok()) {
            return Ok(None);
        }
        let client = reqwest::Client::builder()
            .timeout(DELIVERY)
            .build()
            .map_err(NoTraces::Client)?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Courier {
                client,
                runtime: Handle::current(),
            })
            .build()
            .map_err(NoTraces::Exporter)?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource(release))
            .build();
        Ok(Some(Self(Arc::new(Origin {
            tracer: provider.tracer("task-tracker"),
            provider,
            propagator: TraceContextPropagator::new(),
        }))))
    }

    /// Does what a request asks for in a span of its own, below the one that its `traceparent` names.
    pub(crate) async fn request(
        &self,
        (method, route): (&Method, &str),
        headers: &HeaderMap,
        work: impl Future<Output = Response<axum::body::Body>>,
    ) -> Response<axum::body::Body> {
        let parent = self
            .0
            .propagator
            .extract_with_context(&Context::new(), &HeaderExtractor(headers));
        let span = self
            .0
            .tracer
            .span_builder(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method.as_str().to_owned()),
                KeyValue::new("http.route", route.to_owned()),
            ])
            .start_with_context(&self.0.tracer, &parent);
        let here = parent.with_span(span).with_value(self.clone());
        let response = work.with_context(here.clone()).await;
        finish(&here, response.status());
        response
    }

    /// Sends what has not left yet; afterwards nothing is recorded any more.
    pub(crate) async fn end(self) {
        let provider = self.0.provider.clone();
        let farewell = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FAREWELL)).await;
        if let Ok(Err(cause)) = farewell {
            tracing::warn!(%cause, "the last traces were not sent");
        }
    }
}

fn finish(here: &Context, status: StatusCode) {
    let span = here.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
    span.end();
}

/// The trace that the current task works for, as a log line may name it; None when it is not recorded.
pub(crate) fn id() -> Option<String> {
    let here = Context::current();
    let span = here.span().span_context().clone();
    span.is_sampled().then(|| span.trace_id().to_string())
}

/// The use of a connection for an operation, from the moment one was asked for to the moment it is given back.
pub(crate) struct Use(Option<<SdkTracer as Tracer>::Span>);

/// Begins below the current request; nothing when that is not recorded.
pub(crate) fn database(operation: &Name) -> Use {
    let here = Context::current();
    let origin = here.get::<Traces>().filter(|_| here.span().span_context().is_sampled());
    Use(origin.map(|Traces(origin)| {
        let tracer = &origin.tracer;
        tracer
            .span_builder(format!("database {}", operation.as_str()))
            .with_kind(SpanKind::Client)
            .with_attributes([
                KeyValue::new("db.system.name", "postgresql"),
                KeyValue::new("db.operation.name", operation.as_str().to_owned()),
            ])
            .start_with_context(tracer, &here)
    }))
}

impl Use {
    /// The wait is over; from here on it is the statements.
    pub(crate) fn has_connection(&mut self) {
        if let Some(span) = &mut self.0 {
            span.add_event("connection", Vec::new());
        }
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        if let Some(span) = &mut self.0 {
            span.end();
        }
    }
}

/// OpenTelemetry Specification, Environment Variables: an empty value counts as none.
fn are_wanted(variable: impl Fn(&str) -> Option<String>) -> bool {
    let is = |name, wanted: &str| variable(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted));
    let names_one = |name| variable(name).is_some_and(|value| !value.is_empty());
    let is_off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    !is_off && (names_one("OTEL_EXPORTER_OTLP_ENDPOINT") || names_one("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"))
}

/// What the environment says of this service, and what it leaves out.
fn resource(release: &ReleaseName) -> Resource {
    let told = Resource::builder().build();
    let is_named = told
        .iter()
        .any(|(key, value)| key.as_str() == "service.name" && !value.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(KeyValue::new("service.version", release.as_str().to_owned()));
    if is_named {
        resource.build()
    } else {
        resource.with_service_name("task-tracker").build()
    }
}

/// Carries batches to the collector. The exporter works on a thread of its own, where tokio is not.
struct Courier {
    client: reqwest::Client,
    runtime: Handle,
}

impl fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Courier")
    }
}

type Delivery<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Courier {
    fn send_bytes<'c, 'a>(&'c self, request: Request<Bytes>) -> Delivery<'a>
    where
        'c: 'a,
        Self: 'a,
    {
        let client = self.client.clone();
        let sending = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sending.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_sent_when_there_is_somewhere_to_send_them() {
        for (variables, wanted) in [
            (&[][..], false),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")], false),
            (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")], true),
            (
                &[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector:4318/v1/traces")],
                true,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
                    ("OTEL_SDK_DISABLED", "TRUE"),
                ],
                false,
            ),
            (
                &[
                    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
                    ("OTEL_TRACES_EXPORTER", "none"),
                ],
                false,
            ),
        ] {
            let find = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            assert_eq!(are_wanted(find), wanted, "{variables:?}");
        }
    }
}

//! Traces as a collector receives them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};
use hyper::Method;
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{AnyValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;
use tokio::net::TcpListener;

use crate::{
    api::Api,
    cluster::{self, Database},
    command::{Running, serve},
    line::within,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Takes spans in, as an OpenTelemetry collector does (OTLP/HTTP, binary protobuf).
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

impl Collector {
    async fn listen(&self) -> SocketAddr {
        let received = Arc::clone(&self.0);
        let take = async move |headers: axum::http::HeaderMap, body: Bytes| {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            received
                .lock()
                .unwrap()
                .push(ExportTraceServiceRequest::decode(body).unwrap());
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", post(take))).await });
        address
    }

    fn spans(&self) -> Vec<Span> {
        let received = self.0.lock().unwrap();
        let scopes = received
            .iter()
            .flat_map(|batch| &batch.resource_spans)
            .flat_map(|of| &of.scope_spans);
        scopes.flat_map(|scope| scope.spans.clone()).collect()
    }

    fn resource(&self) -> Vec<KeyValue> {
        let received = self.0.lock().unwrap();
        received[0].resource_spans[0].resource.clone().unwrap().attributes
    }
}

fn text(attributes: &[KeyValue], key: &str) -> String {
    let value = attributes
        .iter()
        .find(|one| one.key == key)
        .and_then(|one| one.value.clone());
    match value {
        Some(AnyValue {
            value: Some(Value::StringValue(text)),
        }) => text,
        Some(AnyValue {
            value: Some(Value::IntValue(number)),
        }) => number.to_string(),
        other => format!("{other:?}"),
    }
}

async fn traced(database: &Database, variables: &[(&str, &str)]) -> (Collector, Running) {
    let collector = Collector::default();
    let endpoint = format!("http://{}", collector.listen().await);
    let running = serve(
        database,
        &[&[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())], variables].concat(),
    )
    .await;
    (collector, running)
}

#[tokio::test]
async fn a_request_and_its_use_of_the_database_are_spans_below_the_one_it_came_from() {
    let database = cluster::migrated().await;
    let (_, secret) = database.user("hidden").await;
    let (collector, running) = traced(&database, &[]).await;
    let api = Api::at(running.address).with_session(&secret);
    let project = api.project().await;
    let path = format!("/api/v1/projects/{project}/tasks?q=hidden");
    let request = api
        .request(Method::GET, &path)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
        .header("user-agent", "hidden");
    api.send(request.body(axum::body::Body::empty()).unwrap())
        .await
        .expect(200);
    let unsampled = api
        .request(Method::GET, "/api/v1/me")
        .header("traceparent", format!("00-{TRACE}-{PARENT}-00"));
    api.send(unsampled.body(axum::body::Body::empty()).unwrap())
        .await
        .expect(200);
    // Nobody waits for a batch to be full: what is there leaves at the end.
    let log = running.end().await;

    let spans = collector.spans();
    let named = |name: &str| {
        let found = spans.iter().find(|span| span.name == name);
        found
            .unwrap_or_else(|| panic!("{name} is not among {spans:#?}"))
            .clone()
    };
    let request = named("GET /api/v1/projects/{id}/tasks");
    assert_eq!(hex::encode(&request.trace_id), TRACE);
    assert_eq!(hex::encode(&request.parent_span_id), PARENT);
    assert_eq!(request.kind, SpanKind::Server as i32);
    assert_eq!(text(&request.attributes, "http.route"), "/api/v1/projects/{id}/tasks");
    assert_eq!(text(&request.attributes, "http.response.status_code"), "200");
    let of_database: Vec<&Span> = spans
        .iter()
        .filter(|span| span.parent_span_id == request.span_id)
        .collect();
    let uses: Vec<&str> = of_database.iter().map(|span| span.name.as_str()).collect();
    // The list is empty, so it is asked once more whether there is such a project.
    assert_eq!(uses, ["database guard", "database list_tasks", "database list_tasks"]);
    for span in of_database {
        assert_eq!(hex::encode(&span.trace_id), TRACE);
        assert!(span.start_time_unix_nano >= request.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= request.end_time_unix_nano);
    }
    assert!(named("POST /api/v1/projects").parent_span_id.is_empty());
    assert!(
        spans.iter().all(|span| span.name != "GET /api/v1/me"),
        "its sender said not to"
    );
    let resource = collector.resource();
    assert_eq!(text(&resource, "service.name"), "task-tracker");
    assert_eq!(text(&resource, "service.version"), "1.2.3");
    let everything = format!("{spans:?}{resource:?}");
    for word in ["hidden", secret.as_str(), project.as_str()] {
        assert!(!everything.contains(word), "{word} is in the traces");
    }
    assert!(
        log.contains(&format!("trace=\"{TRACE}\"")) || log.contains(TRACE),
        "the log names the trace: {log}"
    );
}

#[tokio::test]
async fn the_standard_variables_decide_what_is_sampled_and_what_it_is_called() {
    let database = cluster::migrated().await;
    let (_, secret) = database.user("ann").await;
    for (variables, name) in [
        (
            &[("OTEL_SERVICE_NAME", "board"), ("OTEL_TRACES_SAMPLER", "always_on")][..],
            Some("board"),
        ),
        (&[("OTEL_TRACES_SAMPLER", "always_off")], None),
        (&[("OTEL_SDK_DISABLED", "true")], None),
    ] {
        let (collector, running) = traced(&database, variables).await;
        Api::at(running.address)
            .with_session(&secret)
            .get("/api/v1/me")
            .await
            .expect(200);
        running.end().await;
        match name {
            Some(name) => assert_eq!(text(&collector.resource(), "service.name"), name),
            None => assert!(collector.spans().is_empty(), "{variables:?}"),
        }
    }
}

/// Whoever collects traces may be gone: that is no reason for users to notice.
#[tokio::test]
async fn a_collector_that_is_gone_costs_nothing_but_traces() {
    let database = cluster::migrated().await;
    let (_, secret) = database.user("ann").await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let endpoint = format!("http://{nobody}");
    let running = serve(&database, &[("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str())]).await;
    Api::at(running.address)
        .with_session(&secret)
        .get("/api/v1/me")
        .await
        .expect(200);
    let log = within(running.end()).await;
    assert!(log.contains("ended"), "{log}");
}

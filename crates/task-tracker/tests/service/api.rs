//! A client of the API that keeps its connections alive.

use std::net::SocketAddr;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::{HeaderMap, Method, Request, StatusCode, body::Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use crate::line::within;

#[derive(Clone)]
pub(crate) struct Api {
    client: Client<HttpConnector, Body>,
    address: SocketAddr,
    /// Name and value of the header that says who is asking.
    credentials: Option<(&'static str, String)>,
}

/// A complete response; the body is null when it was empty.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The secret in the session cookie that this reply sets; empty when it ends the session.
    pub(crate) fn session(&self) -> &str {
        let (pair, _) = self.header("set-cookie").split_once(';').unwrap();
        pair.strip_prefix("__Host-session=").unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// The last part of the problem's type.
    pub(crate) fn problem(&self) -> &str {
        self.body["type"]
            .as_str()
            .and_then(|kind| kind.strip_prefix("urn:task-tracker:problem:"))
            .unwrap_or("")
    }

    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }
}

impl Api {
    pub(crate) fn at(address: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .retry_canceled_requests(false)
            .build_http();
        Self {
            client,
            address,
            credentials: None,
        }
    }

    /// The same client over connections of its own.
    pub(crate) fn afresh(&self) -> Self {
        Self {
            credentials: self.credentials.clone(),
            ..Self::at(self.address)
        }
    }

    /// The same person at another instance.
    pub(crate) fn elsewhere(&self, address: SocketAddr) -> Self {
        Self {
            address,
            ..self.clone()
        }
    }

    pub(crate) fn anonymous(&self) -> Self {
        Self {
            credentials: None,
            ..self.clone()
        }
    }

    pub(crate) fn with_session(&self, secret: &str) -> Self {
        Self {
            credentials: Some(("cookie", format!("__Host-session={secret}"))),
            ..self.clone()
        }
    }

    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            credentials: Some(("authorization", format!("Bearer {token}"))),
            ..self.clone()
        }
    }

    /// As a line of a request's head.
    pub(crate) fn credentials(&self) -> String {
        let (name, value) = self.credentials.as_ref().unwrap();
        format!("{name}: {value}")
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path).body(Body::empty()).unwrap())
            .await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Reply {
        let request = self
            .request(Method::POST, path)
            .header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub(crate) async fn patch(&self, path: &str, if_match: &str, body: Value) -> Reply {
        let request = self
            .request(Method::PATCH, path)
            .header("content-type", "application/json");
        let request = request.header("if-match", if_match);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// A write under a key by which it may be repeated.
    pub(crate) async fn keyed(&self, method: Method, path: &str, key: &str, body: &Value) -> Reply {
        let request = self
            .request(method, path)
            .header("content-type", "application/json")
            .header("if-match", "\"1\"")
            .header("idempotency-key", key);
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Every item of a list, page by page; the path has a query.
    pub(crate) async fn every(&self, path: &str) -> Vec<Value> {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{cursor}")).await.expect(200).body;
            found.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return found,
            }
        }
    }

    pub(crate) async fn delete(&self, path: &str, if_match: &str) -> Reply {
        let request = self.request(Method::DELETE, path).header("if-match", if_match);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        match &self.credentials {
            Some((name, value)) => request.header(*name, value),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        self.try_send(request).await.unwrap()
    }

    pub(crate) async fn try_send(&self, request: Request<Body>) -> Result<Reply, String> {
        let exchange = async {
            let (parts, body) = self
                .client
                .request(request)
                .await
                .map_err(|error| format!("{error:?}"))?
                .into_parts();
            let bytes = body.collect().await.map_err(|error| format!("{error:?}"))?.to_bytes();
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).unwrap_or_else(|_| String::from_utf8_lossy(&bytes).into_owned().into())
            };
            Ok(Reply {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        };
        within(exchange).await
    }

    /// A response whose body does not end by itself.
    pub(crate) async fn open(&self, request: hyper::http::request::Builder) -> hyper::Response<Incoming> {
        self.client.request(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    /// As `send`, without waiting for the end of a body that has none.
    pub(crate) async fn head_of(&self, request: hyper::http::request::Builder) -> (StatusCode, HeaderMap, Value) {
        let (parts, body) = within(self.open(request)).await.into_parts();
        let is_stream = parts.headers["content-type"] == "text/event-stream";
        let value = if is_stream {
            Value::Null
        } else {
            serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap()
        };
        (parts.status, parts.headers, value)
    }

    /// Makes a project and gives its id.
    pub(crate) async fn project(&self) -> String {
        self.post("/api/v1/projects", json!({ "name": "garden" }))
            .await
            .expect(201)
            .id()
    }

    /// Makes a task in this project and gives its id.
    pub(crate) async fn task(&self, project: &str, title: &str) -> String {
        let path = format!("/api/v1/projects/{project}/tasks");
        self.post(&path, json!({ "title": title })).await.expect(201).id()
    }

    /// Puts a task where `place` says, whatever its version.
    pub(crate) async fn move_to(&self, task: &str, place: &Value) -> Reply {
        let request = self
            .request(Method::POST, &format!("/api/v1/tasks/{task}/move"))
            .header("content-type", "application/json")
            .header("if-match", "*");
        self.send(request.body(Body::from(place.to_string())).unwrap()).await
    }
}

//! The Docker Engine API on its Unix socket: the few calls that running a task takes.
//!
//! Not the client's command line: what a task is told holds secrets, and arguments are in everybody's process list.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;

/// A call to the engine did not work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    #[error("could not reach a container engine at {}", .0.display())]
    Unreachable(PathBuf, #[source] std::io::Error),
    #[error("the container engine broke off while it was to {0}")]
    Broken(&'static str, #[source] hyper::Error),
    #[error("the container engine could not {action}: {message}")]
    Refused {
        action: &'static str,
        status: StatusCode,
        message: String,
    },
    #[error("the container engine's answer to {0} makes no sense")]
    Answer(&'static str, #[source] serde_json::Error),
}

/// One engine, known by its socket.
#[derive(Debug, Clone)]
pub(super) struct Engine {
    socket: PathBuf,
    /// `/v1.41`: the newest version of the API that the engine speaks.
    version: String,
}

impl Engine {
    pub(super) async fn connect(socket: &Path) -> Result<Self, EngineError> {
        let mut engine = Self {
            socket: socket.to_owned(),
            version: String::new(),
        };
        let pong = engine.call("answer", Method::GET, "/_ping", None).await?;
        if let Some(version) = pong.headers().get("api-version").and_then(|value| value.to_str().ok()) {
            engine.version = format!("/v{version}");
        }
        Ok(engine)
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Brings an image, named by its digest, into the engine, unless it is there.
    pub(super) async fn pull(&self, image: &str) -> Result<(), EngineError> {
        let known = format!("/images/{image}/json");
        match self.call("look for an image", Method::GET, &known, None).await {
            Ok(_) => return Ok(()),
            Err(EngineError::Refused { status, .. }) if status == StatusCode::NOT_FOUND => {}
            Err(error) => return Err(error),
        }
        let action = "pull an image";
        let query: String = url::form_urlencoded::byte_serialize(image.as_bytes()).collect();
        let path = format!("/images/create?fromImage={query}");
        let answer = self.call(action, Method::POST, &path, None).await?;
        // The status says only that it began; how it ended is the last of its progress reports.
        let progress = body(action, answer).await?;
        let failed = progress
            .split(|byte| *byte == b'\n')
            .filter_map(|line| serde_json::from_slice::<Value>(line).ok())
            .find_map(|report| Some(report.get("error")?.as_str()?.to_owned()));
        match failed {
            None => Ok(()),
            Some(message) => Err(EngineError::Refused {
                action,
                status: StatusCode::OK,
                message,
            }),
        }
    }

    /// Creates a container from the API's own description of one; gives its id.
    pub(super) async fn create(&self, container: &Value) -> Result<String, EngineError> {
        let action = "create a container";
        let created: Value = self
            .ask(action, Method::POST, "/containers/create", Some(container))
            .await?;
        Ok(text(&created, "Id"))
    }

    pub(super) async fn start(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{id}/start");
        self.call("start a container", Method::POST, &path, None)
            .await
            .map(drop)
    }

    /// The number of its first process on this machine; 0 once it has ended.
    pub(super) async fn process(&self, id: &str) -> Result<u32, EngineError> {
        let path = format!("/containers/{id}/json");
        let container: Value = self.ask("describe a container", Method::GET, &path, None).await?;
        let number = container.pointer("/State/Pid").and_then(Value::as_u64);
        Ok(number.and_then(|number| u32::try_from(number).ok()).unwrap_or_default())
    }

    /// What it prints, from the beginning to its end, in the frames of [`super::frames`].
    pub(super) async fn output(&self, id: &str) -> Result<Incoming, EngineError> {
        let path = format!("/containers/{id}/logs?follow=1&stdout=1&stderr=1");
        let answer = self
            .call("follow a container's output", Method::GET, &path, None)
            .await?;
        Ok(answer.into_body())
    }

    /// Waits for its end; gives its exit code, which for a signal is 128 plus its number.
    pub(super) async fn wait(&self, id: &str) -> Result<i32, EngineError> {
        let path = format!("/containers/{id}/wait?condition=not-running");
        let ended: Value = self.ask("wait for a container", Method::POST, &path, None).await?;
        let code = ended.get("StatusCode").and_then(Value::as_i64);
        Ok(code.and_then(|code| i32::try_from(code).ok()).unwrap_or(255))
    }

    pub(super) async fn signal(&self, id: &str, signal: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{id}/kill?signal={signal}");
        self.call("signal a container", Method::POST, &path, None)
            .await
            .map(drop)
    }

    /// Ends it if it runs, and forgets it.
    pub(super) async fn remove(&self, id: &str) -> Result<(), EngineError> {
        let path = format!("/containers/{id}?force=1&v=1");
        self.call("remove a container", Method::DELETE, &path, None)
            .await
            .map(drop)
    }

    /// The ids of all containers with a label, running or not.
    pub(super) async fn labelled(&self, label: &str) -> Result<Vec<String>, EngineError> {
        let filter = json!({ "label": [label] }).to_string();
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        let path = format!("/containers/json?all=1&filters={filter}");
        let containers: Vec<Value> = self.ask("list containers", Method::GET, &path, None).await?;
        Ok(containers.iter().map(|container| text(container, "Id")).collect())
    }

    /// Starts a second command in a running container, as its user; gives an id to ask [`Engine::executed`] with.
    pub(super) async fn execute(&self, id: &str, command: &[String]) -> Result<String, EngineError> {
        let action = "run a command in a container";
        let path = format!("/containers/{id}/exec");
        let created: Value = self
            .ask(action, Method::POST, &path, Some(&json!({ "Cmd": command })))
            .await?;
        let execution = text(&created, "Id");
        let path = format!("/exec/{execution}/start");
        self.call(action, Method::POST, &path, Some(&json!({ "Detach": true })))
            .await?;
        Ok(execution)
    }

    /// The exit code of a second command; nothing while it runs.
    pub(super) async fn executed(&self, execution: &str) -> Result<Option<i64>, EngineError> {
        let path = format!("/exec/{execution}/json");
        let state: Value = self.ask("describe a command", Method::GET, &path, None).await?;
        let running = state.get("Running").and_then(Value::as_bool).unwrap_or_default();
        Ok(state.get("ExitCode").and_then(Value::as_i64).filter(|_| !running))
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        action: &'static str,
        method: Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<T, EngineError> {
        let answer = self.call(action, method, path, content).await?;
        serde_json::from_slice(&body(action, answer).await?).map_err(|cause| EngineError::Answer(action, cause))
    }

    /// An answer that is no refusal. Each call has a connection of its own: most are rare, and some last as long as a task.
    async fn call(
        &self,
        action: &'static str,
        method: Method,
        path: &str,
        content: Option<&Value>,
    ) -> Result<Response<Incoming>, EngineError> {
        let stream = UnixStream::connect(&self.socket)
            .await
            .map_err(|cause| EngineError::Unreachable(self.socket.clone(), cause))?;
        let broken = |cause| EngineError::Broken(action, cause);
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, action, "the connection to the container engine broke");
            }
        });
        let mut request = Request::new(Full::new(
            content.map_or_else(Bytes::new, |content| Bytes::from(content.to_string())),
        ));
        *request.method_mut() = method;
        if let Ok(uri) = format!("{}{path}", self.version).parse() {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        headers.insert(http::header::HOST, http::HeaderValue::from_static("localhost"));
        headers.insert(
            http::header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        let said = body(action, answer).await?;
        let message = serde_json::from_slice::<Value>(&said).map_or_else(
            |_| String::from_utf8_lossy(&said).into_owned(),
            |said| text(&said, "message"),
        );
        Err(EngineError::Refused {
            action,
            status,
            message,
        })
    }
}

async fn body(action: &'static str, answer: Response<Incoming>) -> Result<Bytes, EngineError> {
    let collected = answer.into_body().collect().await;
    Ok(collected
        .map_err(|cause| EngineError::Broken(action, cause))?
        .to_bytes())
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

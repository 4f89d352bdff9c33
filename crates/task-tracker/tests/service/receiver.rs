//! Somebody who receives webhooks.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::{OriginalUri, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    serve::Listener,
};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig, server::TlsStream};

use crate::line::until;

/// A message as it came.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

#[derive(Clone)]
pub(crate) struct Receiver {
    scheme: &'static str,
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
}

struct Seen {
    messages: Vec<Message>,
    answer: Answer,
}

/// What it answers.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Status(u16),
    /// To another path of its own.
    Redirect,
    /// 200, and a body without an end.
    Endless,
}

/// Listens until the test ends, and answers 204.
pub(crate) async fn start() -> Receiver {
    serve("http", TcpListener::bind("127.0.0.1:0").await.unwrap())
}

/// The same over TLS.
pub(crate) async fn start_sealed(config: ServerConfig) -> Receiver {
    let listener = Sealed {
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        acceptor: TlsAcceptor::from(Arc::new(config)),
    };
    serve("https", listener)
}

/// Connections on which both sides have agreed.
struct Sealed {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for Sealed {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, peer) = Listener::accept(&mut self.listener).await;
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        Listener::local_addr(&self.listener)
    }
}

fn serve<L: Listener<Addr = SocketAddr>>(scheme: &'static str, listener: L) -> Receiver {
    let receiver = Receiver {
        scheme,
        address: listener.local_addr().unwrap(),
        seen: Arc::new(Mutex::new(Seen {
            messages: Vec::new(),
            answer: Answer::Status(204),
        })),
    };
    let routes = Router::new().fallback(receive).with_state(receiver.clone());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    receiver
}

async fn receive(
    State(receiver): State<Receiver>,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = receiver.seen.lock().unwrap();
    seen.messages.push(Message {
        path: uri.path().to_owned(),
        headers,
        body,
    });
    match seen.answer {
        Answer::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Answer::Redirect => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response(),
        Answer::Endless => {
            let chunks =
                futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 1024])));
            axum::body::Body::from_stream(chunks).into_response()
        }
    }
}

impl Receiver {
    pub(crate) fn url(&self) -> String {
        format!("{}://{}/hook", self.scheme, self.address)
    }

    pub(crate) fn answer(&self, answer: Answer) {
        self.seen.lock().unwrap().answer = answer;
    }

    pub(crate) fn messages(&self) -> Vec<Message> {
        self.seen.lock().unwrap().messages.clone()
    }

    /// Once there are so many.
    pub(crate) async fn have(&self, count: usize) -> Vec<Message> {
        until("the messages arrive", async || self.messages().len() >= count).await;
        self.messages()
    }
}

impl Message {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// Whether one of its signatures is by this secret (Standard Webhooks, as a receiver would do it).
    pub(crate) fn is_signed_by(&self, secret: &str) -> bool {
        use aws_lc_rs::hmac;
        use base64::{Engine, prelude::BASE64_STANDARD};
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut text = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        text.extend_from_slice(&self.body);
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &text);
        let expected = format!("v1,{}", BASE64_STANDARD.encode(tag));
        self.header("webhook-signature").split(' ').any(|one| one == expected)
    }
}

//! Users who keep asking a service, and what they got.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// What users saw: how often each release or failure.
pub(crate) type Seen = BTreeMap<String, u64>;

/// Eight users who ask again and again until they are stopped.
pub(crate) struct Users {
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
    asking: Vec<tokio::task::JoinHandle<()>>,
}

impl Users {
    pub(crate) fn start(url: &str) -> Self {
        let (seen, over) = (Arc::new(Mutex::new(Seen::new())), Arc::new(AtomicBool::new(false)));
        let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
        let asking = (0..8)
            .map(|_| {
                tokio::spawn(keep_asking(
                    client.clone(),
                    url.to_owned(),
                    Arc::clone(&seen),
                    Arc::clone(&over),
                ))
            })
            .collect();
        Self { seen, over, asking }
    }

    /// What was seen since the last look.
    pub(crate) fn take(&self) -> Seen {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    pub(crate) fn look(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) async fn stop(self) -> Seen {
        self.over.store(true, Ordering::Relaxed);
        for asking in self.asking {
            asking.await.unwrap();
        }
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

/// One question over a connection of its own.
pub(crate) async fn ask(url: &str) -> String {
    get(&Client::builder(TokioExecutor::new()).build_http(), url).await
}

async fn keep_asking(
    client: Client<HttpConnector, Empty<Bytes>>,
    url: String,
    seen: Arc<Mutex<Seen>>,
    over: Arc<AtomicBool>,
) {
    while !over.load(Ordering::Relaxed) {
        let answer = get(&client, &url).await;
        *seen.lock().unwrap().entry(answer).or_default() += 1;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn get(client: &Client<HttpConnector, Empty<Bytes>>, url: &str) -> String {
    match client.get(url.parse().unwrap()).await {
        Ok(response) => {
            let status = response.status();
            match response.into_body().collect().await {
                Ok(body) if status.is_success() => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
                Ok(body) => format!("{status}: {}", String::from_utf8_lossy(&body.to_bytes())),
                Err(error) => format!("broken: {error}"),
            }
        }
        Err(error) => format!("failed: {error:?}"),
    }
}

/// Only these answers were seen, and each of them was.
pub(crate) fn assert_only(seen: &Seen, expected: &[&str]) {
    let answers: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(answers, expected, "{seen:#?}");
}

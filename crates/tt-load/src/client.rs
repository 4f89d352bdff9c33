//! Sends one request over kept-alive connections and says what came back, and when.

use std::{
    error::Error,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri, header};
use hyper_util::{
    client::legacy::{Client as Pool, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time::Instant;
use uuid::Uuid;

/// Load balancers close connections that were idle for 60 s; ours are gone before.
const KEEP_IDLE: Duration = Duration::from_secs(30);
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// One HTTP/1.1 client of one service.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    /// Scheme and authority, without a slash at the end.
    base: String,
    timeout: Duration,
}

/// The base URL is not one that this client can reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` is not an http:// URL of a host")]
pub struct NotAUrl {
    url: String,
}

/// What happened to a request.
pub(crate) struct Exchange {
    pub(crate) sent_unix_ms: u64,
    pub(crate) answered_unix_ms: u64,
    pub(crate) answered: Instant,
    pub(crate) outcome: Result<Answer, String>,
}

/// A complete response.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn release(&self) -> Option<&str> {
        self.headers.get("x-release")?.to_str().ok()
    }

    /// Who this answer has logged in.
    pub(crate) fn user(&self) -> Option<User> {
        let (pair, _) = self.headers.get(header::SET_COOKIE)?.to_str().ok()?.split_once(';')?;
        Some(User(pair.into()))
    }
}

/// What to send.
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) if_match: Option<String>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) user: Option<User>,
    /// Under which the service does this once, however often it is sent.
    pub(crate) key: Option<Uuid>,
}

/// Somebody who is logged in: the session's cookie, as it is sent.
#[derive(Clone)]
pub(crate) struct User(Arc<str>);

impl Question {
    pub(crate) fn get(path: String) -> Self {
        Self {
            method: Method::GET,
            path,
            if_match: None,
            body: None,
            user: None,
            key: None,
        }
    }

    pub(crate) fn by(self, user: &User) -> Self {
        Self {
            user: Some(user.clone()),
            ..self
        }
    }
}

impl Client {
    pub(crate) fn new(base_url: &str, connections: usize, timeout: Duration) -> Result<Self, NotAUrl> {
        let base = base_url.trim_end_matches('/').to_owned();
        let fits = base
            .parse::<Uri>()
            .is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some() && uri.query().is_none());
        if !fits {
            return Err(NotAUrl {
                url: base_url.to_owned(),
            });
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeout));
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(KEEP_IDLE)
            .pool_max_idle_per_host(connections)
            .retry_canceled_requests(false)
            .build(connector);
        Ok(Self { pool, base, timeout })
    }

    /// Never takes longer than the timeout.
    pub(crate) async fn ask(&self, question: Question) -> Exchange {
        let sent_unix_ms = unix_ms();
        let outcome = match tokio::time::timeout(self.timeout, self.answer(question)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(format!("no answer within {} s", self.timeout.as_secs_f64())),
        };
        Exchange {
            sent_unix_ms,
            answered_unix_ms: unix_ms(),
            answered: Instant::now(),
            outcome,
        }
    }

    async fn answer(&self, question: Question) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(question.method)
            .uri(format!("{}{}", self.base, question.path));
        if let Some(etag) = question.if_match {
            request = request.header(header::IF_MATCH, etag);
        }
        if let Some(key) = question.key {
            request = request.header("idempotency-key", key.to_string());
        }
        if let Some(User(cookie)) = &question.user {
            request = request.header(header::COOKIE, &**cookie);
        }
        let body = match question.body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Full::from(body)
            }
            None => Full::default(),
        };
        let request = request.body(body).map_err(|error| words(&error))?;
        let (parts, body) = self
            .pool
            .request(request)
            .await
            .map_err(|error| words(&error))?
            .into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| words(error.as_ref()))?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.to_bytes(),
        })
    }
}

/// An error with its causes: the outermost one of an HTTP client says no more than that it failed.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}

pub(crate) fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_http_urls_of_a_host_will_do() {
        let client = |url| Client::new(url, 1, Duration::from_secs(1));
        assert_eq!(
            client("http://127.0.0.1:8080/").map(|client| client.base).unwrap(),
            "http://127.0.0.1:8080"
        );
        for url in ["127.0.0.1:8080", "https://a", "http://", "", "ftp://a", "http://a/?b=c"] {
            assert!(client(url).is_err(), "{url}");
        }
    }
}

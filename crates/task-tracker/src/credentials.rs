//! By what this service is known to AWS: fixed keys from the environment, or those of the task's role, which its container
//! agent gives out for some hours at a time (AWS SDKs and Tools Reference Guide, "Container credential provider").

use std::{fmt, sync::Arc, time::Duration};

use axum::http::{HeaderValue, Method, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::sync::Mutex;
use url::{Host, Url};

use crate::outbound::{Outbound, Outgoing, Reach, Unanswered};

/// The agent of ECS, at its relative addresses.
const AGENT: &str = "http://169.254.170.2";
/// A URL ends when the credentials do that signed it, so they are renewed well before.
const RENEW_BEFORE: time::Duration = time::Duration::minutes(30);
const PATIENCE: Duration = Duration::from_secs(5);

/// What requests are signed with.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    secret_key: SecretString,
    session_token: Option<SecretString>,
}

/// Where the credentials come from.
#[derive(Clone)]
pub(crate) enum Source {
    Fixed(Credentials),
    Agent(Arc<Agent>),
}

/// The agent, and what it gave out last.
pub(crate) struct Agent {
    url: Url,
    token: Option<Token>,
    last: Mutex<Option<(Credentials, OffsetDateTime)>>,
}

/// What the agent wants to see; a file is read anew each time, since the agent may write it anew.
enum Token {
    Fixed(SecretString),
    File(String),
}

/// The environment names credentials in a way that cannot be followed; values are not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSource {
    /// One half of a pair.
    #[error("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together; give both, or neither to use the task's role")]
    HalfAPair,
    /// Credentials must not be asked for in the clear elsewhere.
    #[error(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, or http to a loopback address or to the agent of ECS or EKS"
    )]
    FullUri,
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoCredentials {
    #[error("could not ask the container agent for credentials")]
    Ask(#[source] Unanswered),
    #[error("the container agent answered {0}")]
    Refused(StatusCode),
    #[error("could not read the container agent's answer")]
    Unread,
    #[error("could not read the file in AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")]
    Token(#[source] std::io::Error),
}

impl Credentials {
    pub(crate) fn fixed(access_key: &str, secret_key: &str, session_token: Option<String>) -> Self {
        Self {
            access_key: access_key.to_owned(),
            secret_key: SecretString::from(secret_key),
            session_token: session_token.map(SecretString::from),
        }
    }

    pub(crate) fn secret_key(&self) -> &str {
        self.secret_key.expose_secret()
    }

    pub(crate) fn session_token(&self) -> Option<&str> {
        self.session_token.as_ref().map(ExposeSecret::expose_secret)
    }
}

impl Source {
    /// As the environment says; None when it says nothing.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, BadSource> {
        match (variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY")) {
            (Some(access_key), Some(secret_key)) => {
                let token = variable("AWS_SESSION_TOKEN");
                return Ok(Some(Self::Fixed(Credentials::fixed(&access_key, &secret_key, token))));
            }
            (None, None) => {}
            (Some(_), None) | (None, Some(_)) => return Err(BadSource::HalfAPair),
        }
        let url = match (
            variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
            variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        ) {
            (Some(path), _) => Url::parse(AGENT).and_then(|agent| agent.join(&path)).ok(),
            (None, Some(url)) => Url::parse(&url).ok(),
            (None, None) => return Ok(None),
        };
        let url = url.filter(may_be_asked).ok_or(BadSource::FullUri)?;
        let token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            .map(Token::File)
            .or_else(|| variable("AWS_CONTAINER_AUTHORIZATION_TOKEN").map(|token| Token::Fixed(token.into())));
        Ok(Some(Self::Agent(Arc::new(Agent {
            url,
            token,
            last: Mutex::default(),
        }))))
    }

    pub(crate) async fn get(&self, outbound: &Outbound, now: OffsetDateTime) -> Result<Credentials, NoCredentials> {
        match self {
            Self::Fixed(credentials) => Ok(credentials.clone()),
            Self::Agent(agent) => agent.get(outbound, now).await,
        }
    }
}

fn may_be_asked(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(host))) => {
            host.is_loopback() || [[169, 254, 170, 2], [169, 254, 170, 23]].contains(&host.octets())
        }
        ("http", Some(Host::Ipv6(host))) => {
            host.is_loopback() || host.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23]
        }
        _ => false,
    }
}

/// As the agent writes it.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    expiration: OffsetDateTime,
}

impl Agent {
    /// One at a time asks; whoever waited finds the answer.
    async fn get(&self, outbound: &Outbound, now: OffsetDateTime) -> Result<Credentials, NoCredentials> {
        let mut last = self.last.lock().await;
        if let Some((credentials, until)) = &*last
            && now + RENEW_BEFORE < *until
        {
            return Ok(credentials.clone());
        }
        match self.ask(outbound).await {
            Ok((credentials, until)) => {
                *last = Some((credentials.clone(), until));
                Ok(credentials)
            }
            Err(cause) => match &*last {
                Some((credentials, until)) if now < *until => {
                    tracing::warn!(%cause, "credentials could not be renewed; the last ones still hold");
                    Ok(credentials.clone())
                }
                Some(_) | None => Err(cause),
            },
        }
    }

    async fn ask(&self, outbound: &Outbound) -> Result<(Credentials, OffsetDateTime), NoCredentials> {
        let mut outgoing = Outgoing::new(Method::GET);
        let token = match &self.token {
            None => None,
            Some(Token::Fixed(token)) => Some(token.clone()),
            Some(Token::File(path)) => {
                let read = tokio::fs::read_to_string(path).await.map_err(NoCredentials::Token)?;
                Some(SecretString::from(read.trim()))
            }
        };
        if let Some(token) = token {
            let value = HeaderValue::from_str(token.expose_secret()).map_err(|_| NoCredentials::Unread)?;
            outgoing = outgoing.header(header::AUTHORIZATION, value);
        }
        let answer = outbound
            .send(&self.url, &Reach::Trusted, outgoing, PATIENCE)
            .await
            .map_err(NoCredentials::Ask)?;
        if !answer.status.is_success() {
            return Err(NoCredentials::Refused(answer.status));
        }
        let body = answer.body.ok_or(NoCredentials::Unread)?;
        // What serde says of a bad answer may repeat a part of it.
        let given: Given = serde_json::from_slice(&body).map_err(|_| NoCredentials::Unread)?;
        let credentials = Credentials::fixed(&given.access_key_id, &given.secret_access_key, given.token);
        Ok((credentials, given.expiration))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fixed(_) => "Fixed",
            Self::Agent(_) => "Agent",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::{Json, Router, routing::get};
    use serde_json::json;
    use time::{format_description::well_known::Rfc3339, macros::datetime};

    use super::*;

    const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

    fn read(variables: &[(&str, &str)]) -> Result<Option<Source>, BadSource> {
        Source::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn keys_come_before_the_role_and_nothing_is_asked_for_in_the_clear_elsewhere() {
        let kind = |variables: &[(&str, &str)]| read(variables).map(|source| format!("{source:?}"));
        assert_eq!(kind(&[]), Ok("None".into()));
        assert_eq!(kind(&[("AWS_ACCESS_KEY_ID", "a")]), Err(BadSource::HalfAPair));
        let pair = [
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            (FULL, "http://1.2.3.4/"),
        ];
        assert_eq!(kind(&pair), Ok("Some(Fixed)".into()));
        assert_eq!(
            kind(&[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/1")]),
            Ok("Some(Agent)".into())
        );
        for (url, expected) in [
            ("http://127.0.0.1:80/x", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("https://example.com/x", true),
            ("http://example.com/x", false),
            ("http://169.254.169.254/x", false),
            ("file:///etc/passwd", false),
            ("nonsense", false),
        ] {
            assert_eq!(kind(&[(FULL, url)]).is_ok(), expected, "{url}");
        }
    }

    /// The agent is asked once, again when its credentials are about to end, and its token is shown to it.
    #[tokio::test]
    async fn the_role_s_credentials_are_kept_until_they_are_about_to_end() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let until = datetime!(2030-01-01 12:00:00 UTC);
        let answer = move |headers: axum::http::HeaderMap| async move {
            let number = count.fetch_add(1, Ordering::SeqCst);
            let key = format!("{}-{number}", headers["authorization"].to_str().unwrap());
            let expiration = until.format(&Rfc3339).unwrap();
            Json(json!({ "AccessKeyId": key, "SecretAccessKey": "s", "Token": "t", "Expiration": expiration }))
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/role", listener.local_addr().unwrap());
        let serving =
            tokio::spawn(async move { axum::serve(listener, Router::new().route("/role", get(answer))).await });

        let variables = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "me"),
        ];
        let source = read(&variables).unwrap().unwrap();
        let outbound = Outbound::new();
        let mut keys = Vec::new();
        for now in [
            datetime!(2030-01-01 06:00:00 UTC),
            datetime!(2030-01-01 11:29:00 UTC),
            datetime!(2030-01-01 11:31:00 UTC),
        ] {
            let credentials = source.get(&outbound, now).await.unwrap();
            assert_eq!(
                (credentials.secret_key(), credentials.session_token()),
                ("s", Some("t"))
            );
            keys.push(credentials.access_key);
        }
        assert_eq!(keys, ["me-0", "me-0", "me-1"]);
        serving.abort();
        drop(serving.await);
        // Nobody answers: the last ones hold to their end, and no longer.
        assert!(source.get(&outbound, datetime!(2030-01-01 11:59:00 UTC)).await.is_ok());
        assert!(source.get(&outbound, datetime!(2030-01-01 12:01:00 UTC)).await.is_err());
    }
}

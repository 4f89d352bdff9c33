//! One attempt: the message as Standard Webhooks has it, its signatures, and what the receiver made of it.

use std::{io, time::Duration};

use axum::{
    body::Bytes,
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
};
use serde_json::json;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio_rustls::rustls::{self, CertificateError};
use url::Url;

use crate::{
    outbound::{Outgoing, Unanswered},
    outbox::claim::{Claimed, Content},
    webhook::Webhooks,
};

/// From the look-up of the name to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("task-tracker-webhooks/", env!("CARGO_PKG_VERSION")));

/// How an attempt went.
#[derive(Debug)]
pub(super) enum Outcome {
    /// 2xx.
    Taken(StatusCode),
    /// Anything else, a redirect too: it may lead to where the message must not go.
    Refused(StatusCode),
    /// 410: it asks to be left alone (Standard Webhooks, "Specification").
    Unwanted,
    /// Words for the owner.
    Unanswered(&'static str),
    /// Nothing will change by trying again.
    Hopeless(&'static str),
    /// Not the receiver's doing: it is tried again, and does not count against it.
    OurFault(&'static str),
}

/// Every word for an outcome.
pub(crate) const OUTCOMES: [&str; 5] = ["delivered", "refused", "unanswered", "hopeless", "fault"];

impl Outcome {
    /// For metrics and the log.
    pub(super) fn word(&self) -> &'static str {
        let [delivered, refused, unanswered, hopeless, fault] = OUTCOMES;
        match self {
            Self::Taken(_) => delivered,
            Self::Refused(_) | Self::Unwanted => refused,
            Self::Unanswered(_) => unanswered,
            Self::Hopeless(_) => hopeless,
            Self::OurFault(_) => fault,
        }
    }
}

pub(super) async fn post(webhooks: &Webhooks, claimed: &Claimed) -> Outcome {
    let body = match &claimed.content {
        Content::Event(event) => json!({ "type": event["action"], "timestamp": event["at"], "data": event }),
        Content::Ping { at } => json!({
            "type": "ping",
            "timestamp": at.format(&Rfc3339).unwrap_or_default(),
            "data": { "webhook_id": claimed.webhook_id },
        }),
        Content::Gone => return Outcome::Hopeless("what it would tell of is not kept any more"),
    };
    let Ok(url) = Url::parse(&claimed.url) else {
        return Outcome::Hopeless("the URL cannot be read");
    };
    let body = Bytes::from(body.to_string());
    let Some(outgoing) = signed(webhooks, claimed, body) else {
        return Outcome::OurFault("this service could not sign the message");
    };
    match webhooks.outbound.send(&url, &webhooks.reach, outgoing, PATIENCE).await {
        Ok(answer) if answer.status.is_success() => Outcome::Taken(answer.status),
        Ok(answer) if answer.status == StatusCode::GONE => Outcome::Unwanted,
        Ok(answer) => Outcome::Refused(answer.status),
        Err(cause) => {
            let words = words(&cause);
            tracing::debug!(delivery = %claimed.id, words, "no answer");
            Outcome::Unanswered(words)
        }
    }
}

/// None when the secret cannot be opened.
fn signed(webhooks: &Webhooks, claimed: &Claimed, body: Bytes) -> Option<Outgoing> {
    let id = claimed.id.to_string();
    let timestamp = OffsetDateTime::now_utc().unix_timestamp();
    let secret = |sealed: &[u8]| {
        let secret = webhooks.keys.open(claimed.webhook_id, sealed);
        secret.inspect_err(|cause| tracing::error!(webhook = %claimed.webhook_id, %cause, "a message cannot be signed"))
    };
    let mut signatures = vec![secret(&claimed.secret).ok()?.sign(&id, timestamp, &body)];
    // Whoever still goes by the one before is better off than without any message.
    let previous = claimed.previous_secret.as_deref().map(secret);
    signatures.extend(
        previous
            .and_then(Result::ok)
            .map(|secret| secret.sign(&id, timestamp, &body)),
    );
    let value = |text: &str| HeaderValue::from_str(text).ok();
    Some(
        Outgoing::new(Method::POST)
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .header(header::USER_AGENT, USER_AGENT)
            .header(HeaderName::from_static("webhook-id"), value(&id)?)
            .header(
                HeaderName::from_static("webhook-timestamp"),
                HeaderValue::from(timestamp),
            )
            .header(
                HeaderName::from_static("webhook-signature"),
                value(&signatures.join(" "))?,
            )
            .body(body),
    )
}

/// For an owner of the project, who must not learn from it what there is inside.
fn words(cause: &Unanswered) -> &'static str {
    match cause {
        Unanswered::Address(_) => "the URL does not lead to a public address",
        Unanswered::Connect(_) => "could not connect",
        Unanswered::Tls(cause) => of_certificate(cause).unwrap_or("could not agree on TLS"),
        Unanswered::Exchange(_) | Unanswered::Malformed(_) => "the exchange broke off",
        Unanswered::TimedOut => "no answer within 10 s",
    }
}

/// What was wrong with the certificate; None when it was something else.
fn of_certificate(cause: &io::Error) -> Option<&'static str> {
    use CertificateError::{
        Expired, ExpiredContext, NotValidForName, NotValidForNameContext, NotValidYet, NotValidYetContext,
        UnknownIssuer,
    };
    let cause = cause.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(fault) = cause else {
        return None;
    };
    if matches!(fault, Expired | ExpiredContext { .. }) {
        Some("the receiver's certificate has expired")
    } else if matches!(fault, NotValidYet | NotValidYetContext { .. }) {
        Some("the receiver's certificate is not valid yet")
    } else if matches!(fault, NotValidForName | NotValidForNameContext { .. }) {
        Some("the receiver's certificate is for another name")
    } else if matches!(fault, UnknownIssuer) {
        Some("the receiver's certificate leads to no known authority; does the receiver send those in between?")
    } else {
        Some("the receiver's certificate cannot be believed")
    }
}

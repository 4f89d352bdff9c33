//! The sandbox's own endpoints under `/_sandbox/`: health, call counts, faults, stage records, quotas, stopping.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::call::Reply;
use super::faults::Fault;
use super::server::Front;

/// Where all of them live.
pub(crate) const PREFIX: &str = "/_sandbox/";

pub(super) fn answer(front: &Front, parts: &http::request::Parts, body: &Bytes) -> Reply {
    // A web page that the developer has open must not reach this door; AWS clients send no Origin.
    if parts.headers.contains_key(http::header::ORIGIN) {
        return refuse(StatusCode::FORBIDDEN, "requests from web pages are not answered");
    }
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&parts.method, path) {
        (&Method::GET, "health") => shown(&json!({
            "status": "ok",
            "version": env!("CARGO_PKG_VERSION"),
            "account": front.account,
            "minuteMs": u64::try_from(front.clock.minutes(1.0).as_millis()).unwrap_or(u64::MAX),
            "pid": std::process::id(),
        })),
        (&Method::GET, "calls") => shown(&front.counts.list()),
        (&Method::DELETE, "calls") => {
            front.counts.clear();
            shown(&json!({}))
        }
        (&Method::GET, "deployments") => shown(&crate::ecs::timelines(&front.services.ecs)),
        (&Method::GET, "faults") => shown(&front.faults.list()),
        (&Method::POST, "faults") => match serde_json::from_slice::<Vec<Fault>>(body) {
            Ok(faults) => {
                front.faults.add(faults);
                shown(&front.faults.list())
            }
            Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("not a list of faults: {error}")),
        },
        (&Method::DELETE, "faults") => {
            front.faults.clear();
            shown(&front.faults.list())
        }
        (&Method::PUT, "quotas") => match serde_json::from_slice::<Quotas>(body) {
            Ok(quotas) => {
                front.services.rds.set_manual_snapshot_quota(quotas.manual_snapshots);
                shown(&json!({}))
            }
            Err(error) => refuse(StatusCode::BAD_REQUEST, &format!("not quotas: {error}")),
        },
        (&Method::POST, "stop") => {
            front.stop.cancel();
            shown(&json!({ "status": "stopping" }))
        }
        (method, _) => refuse(
            StatusCode::NOT_FOUND,
            &format!("the sandbox has no {method} {}", parts.uri.path()),
        ),
    }
}

/// What an account may have, lower than AWS's so that a rehearsal gets there.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Quotas {
    /// Per Region.
    manual_snapshots: usize,
}

fn shown(value: &impl Serialize) -> Reply {
    match serde_json::to_vec_pretty(value) {
        Ok(text) => reply(StatusCode::OK, text),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn refuse(status: StatusCode, message: &str) -> Reply {
    reply(status, json!({ "error": message }).to_string().into_bytes())
}

fn reply(status: StatusCode, text: Vec<u8>) -> Reply {
    let mut reply = Reply::new(Full::new(Bytes::from(text)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    reply
}

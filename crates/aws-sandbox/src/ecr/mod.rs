//! Amazon ECR as far as a client needs it to reach the sandbox's own image registry: the token it logs in with.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use time::{Duration, OffsetDateTime};

use crate::front::call::{Call, Reply};
use crate::wire::json::{self, JsonError};

/// Amazon ECR API Reference, `GetAuthorizationToken`: tokens are valid for 12 hours.
const LIFETIME: Duration = Duration::hours(12);

/// `endpoint` is where the registry listens, e.g. `http://127.0.0.1:4566`. The registry asks for no token; clients ask for one all the same.
pub(crate) fn reply(call: &Call, endpoint: &str) -> Reply {
    match call.operation.as_str() {
        "GetAuthorizationToken" => {
            let token = format!("AWS:{}", call.request_id);
            let expires = json::epoch_seconds(OffsetDateTime::now_utc() + LIFETIME);
            let data = json!({
                "authorizationToken": BASE64_STANDARD.encode(token),
                "expiresAt": expires,
                "proxyEndpoint": endpoint,
            });
            json::answer(call, &json!({ "authorizationData": [data] }))
        }
        _ => JsonError::unknown_operation(call).reply(call),
    }
}

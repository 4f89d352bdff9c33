//! What follows for an operation from what it says of itself.

use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::access::{
    Scope, cookie,
    policy::{self, SESSION_SCHEME, TOKEN_SCHEME},
};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// RFC 9110, 13.1.1, for tags of visible ASCII.
const ETAGS: &str = r#"^(\*|(W/)?"[!#-~]*"(, *(W/)?"[!#-~]*")*)$"#;
const ABOUT: &str = "Projects and tasks of several people.\n\n\
    Errors are problem documents (RFC 9457). Changes of what has a version need its `ETag` in `If-Match`. A change that \
    takes an `Idempotency-Key` may be sent again under the same one: within a day it happens once, and the first answer is \
    given again. Lists come in pages: pass `next_cursor` on as `cursor`. A stream of events goes on behind `Last-Event-ID`; \
    where it cannot, it begins with the event `reset`: load anew what is shown. `RateLimit` says what is left of a limit.";

/// The collected description with everything that it implies.
pub(super) fn document(collected: &OpenApi) -> Value {
    let mut document = serde_json::to_value(collected).unwrap_or_default();
    document["info"] = json!({
        "title": "task-tracker",
        "version": env!("CARGO_PKG_VERSION"),
        "description": ABOUT,
        "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
    });
    document["components"]["securitySchemes"] = json!({
        SESSION_SCHEME: {
            "type": "apiKey", "in": "cookie", "name": cookie::NAME,
            "description": "Begun by registering or logging in.",
        },
        TOKEN_SCHEME: {
            "type": "http", "scheme": "bearer",
            "description": format!("An API token. Scopes: {}.", Scope::ALL.map(Scope::as_str).join(", ")),
        },
    });
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (path, item) in paths {
        for method in METHODS {
            if let Some(operation) = item.get_mut(method).and_then(Value::as_object_mut) {
                complete(path, method, operation);
            }
        }
    }
    document
}

fn complete(path: &str, method: &str, operation: &mut Map<String, Value>) {
    let is_write = method != "get";
    let is_public = operation["security"] == json!([{}]);
    let has_body = operation.contains_key("requestBody");
    let mut parameters = match operation.remove("parameters") {
        Some(Value::Array(parameters)) => parameters,
        _ => Vec::new(),
    };
    let mut problems = vec![
        (400, "The request cannot be read"),
        (429, "Too often"),
        (500, "A fault of the service"),
        (503, "Try again"),
    ];
    if path.contains('{') {
        problems.push((404, "There is no such thing, or not for the caller"));
    }
    if has_body {
        problems.extend([
            (408, "The body did not arrive in time"),
            (413, "The body is too large"),
            (415, "The body is not JSON"),
            (422, "The body breaks a rule"),
        ]);
    }
    if is_write {
        problems.push((403, "Not with these credentials, or not for the caller"));
    }
    if !is_public {
        problems.extend([
            (401, "No credentials, or none that are still good"),
            (403, "Not with these credentials, or not for the caller"),
        ]);
    }
    let keeps_its_answer = operation["operationId"].as_str().is_some_and(policy::keeps_its_answer);
    if is_write && !is_public && keeps_its_answer {
        problems.extend([
            (409, "The first request with this Idempotency-Key is still running"),
            (413, "The body is too large"),
            (408, "The body did not arrive in time"),
            (422, "The Idempotency-Key was sent with another request"),
        ]);
        parameters.push(json!({
            "name": "idempotency-key", "in": "header", "required": false,
            "description": "Makes sending again harmless.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]+$" },
        }));
    }
    if is_known_by_etag(&mut parameters, "if-none-match") {
        problems.push((304, "The client has it already"));
    }
    if is_known_by_etag(&mut parameters, "if-match") {
        problems.extend([(412, "It was changed since"), (428, "If-Match is missing")]);
    }
    parameters.iter_mut().for_each(never_null);
    if !parameters.is_empty() {
        operation.insert("parameters".into(), Value::Array(parameters));
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        answer(responses, &problems);
    }
}

/// What an operation says of a status itself is closer than what is said here.
fn answer(responses: &mut Map<String, Value>, problems: &[(u16, &str)]) {
    for (status, description) in problems {
        responses
            .entry(status.to_string())
            .or_insert_with(|| json!({ "description": description }));
    }
    for (status, response) in responses {
        if status.as_str() >= "400" {
            response["content"] = json!({
                "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } }
            });
        }
    }
}

/// What may be left out is an `Option` in the code and has null among its types; but neither a header nor a query can hold one.
fn never_null(parameter: &mut Value) {
    if let Some(types) = parameter["schema"]["type"].as_array_mut() {
        types.retain(|one| one != "null");
        if let [only] = types.as_slice() {
            parameter["schema"]["type"] = only.clone();
        }
    }
}

/// Whether there is this precondition; gives it its form while at it.
fn is_known_by_etag(parameters: &mut [Value], name: &str) -> bool {
    let found = parameters.iter_mut().find(|parameter| parameter["name"] == name);
    let Some(parameter) = found else {
        return false;
    };
    // What may be left out may as well be empty.
    let pattern = match parameter["required"].as_bool() {
        Some(true) => ETAGS.to_owned(),
        Some(false) | None => format!("^$|{ETAGS}"),
    };
    parameter["schema"] = json!({ "type": "string", "pattern": pattern });
    parameter["example"] = json!("\"1\"");
    true
}

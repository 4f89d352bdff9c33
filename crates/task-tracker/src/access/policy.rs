//! Which credentials each operation takes, read from the same description that clients read.
//!
//! What is documented is what is enforced: the guard asks this table, and an operation that does not say otherwise needs
//! a session.

use std::{collections::HashMap, sync::Arc};

use axum::http::Method;
use utoipa::openapi::{OpenApi, path::Operation};

use crate::access::scope::Scope;

/// The name of the session cookie's security scheme.
pub(crate) const SESSION_SCHEME: &str = "session";
/// The name of the API tokens' security scheme.
pub(crate) const TOKEN_SCHEME: &str = "token";

/// What gives nobody a first answer again, by its `operationId`: its effect is the same however often it happens, or it asks for a
/// password each time.
const FORGETFUL: [&str; 4] = ["logout", "end_other_sessions", "change_password", "leave"];

/// Whether the changes of this operation may be sent again under an Idempotency-Key.
pub(crate) fn keeps_its_answer(operation_id: &str) -> bool {
    !FORGETFUL.contains(&operation_id)
}

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// A session, whatever tokens may do.
    Session,
    /// A session, or a token with this scope.
    Token(Scope),
}

/// Every documented operation.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    /// By route, since a text can be looked up without a copy of it; a route has a few methods.
    operations: HashMap<String, Vec<(Method, Documented)>>,
}

/// What the description has of one.
#[derive(Debug, Clone)]
pub(crate) struct Documented {
    /// Its `operationId`.
    pub(crate) name: Arc<str>,
    pub(crate) access: Access,
}

impl Policy {
    pub(crate) fn of(document: &OpenApi) -> Self {
        let mut operations = HashMap::<String, Vec<_>>::new();
        for (path, item) in &document.paths.paths {
            let documented = [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::PUT, &item.put),
                (Method::PATCH, &item.patch),
                (Method::DELETE, &item.delete),
            ];
            for (method, operation) in documented {
                if let Some(operation) = operation {
                    let documented = Documented {
                        name: operation.operation_id.as_deref().unwrap_or_default().into(),
                        access: access(operation),
                    };
                    operations.entry(path.clone()).or_default().push((method, documented));
                }
            }
        }
        Self { operations }
    }

    /// None for what is not an operation of the API: probes, and what the router answers by itself.
    pub(crate) fn operation(&self, route: &str, method: &Method) -> Option<&Documented> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        let found = self.operations.get(route)?.iter().find(|(known, _)| known == method);
        found.map(|(_, documented)| documented)
    }
}

fn access(operation: &Operation) -> Access {
    let Some(requirements) = &operation.security else {
        return Access::Session;
    };
    let requirements = serde_json::to_value(requirements).unwrap_or_default();
    let alternatives = requirements.as_array().map(Vec::as_slice).unwrap_or_default();
    if alternatives
        .iter()
        .any(|one| one.as_object().is_some_and(serde_json::Map::is_empty))
    {
        return Access::Public;
    }
    alternatives
        .iter()
        .find_map(|one| Scope::parse(one.get(TOKEN_SCHEME)?.get(0)?.as_str()?))
        .map_or(Access::Session, Access::Token)
}

//! What ECS answers when it refuses. Codes and texts follow the Amazon ECS API Reference, "Common Errors" and the
//! errors of each operation.

use http::StatusCode;

/// An error answer: the exception's name, a message, the HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct EcsError {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) status: StatusCode,
}

impl EcsError {
    fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            status: StatusCode::BAD_REQUEST,
        }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// A request that makes no sense for the resource as it is.
    pub(crate) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new("ConflictException", message)
    }

    pub(crate) fn unsupported(message: impl Into<String>) -> Self {
        Self::new("UnsupportedFeatureException", message)
    }

    /// A resource that something else still needs.
    pub(crate) fn in_use(code: &'static str, message: &str) -> Self {
        Self::new(code, message)
    }

    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    pub(crate) fn server(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            ..Self::new("ServerException", message)
        }
    }

    pub(crate) fn cluster_not_found() -> Self {
        Self::new("ClusterNotFoundException", "Cluster not found.")
    }

    pub(crate) fn service_not_found() -> Self {
        Self::new("ServiceNotFoundException", "Service not found.")
    }

    pub(crate) fn service_not_active() -> Self {
        Self::new("ServiceNotActiveException", "Service was not ACTIVE.")
    }

    pub(crate) fn deployment_not_found() -> Self {
        Self::new("ServiceDeploymentNotFoundException", "Service deployment not found.")
    }

    pub(crate) fn task_definition_not_found() -> Self {
        Self::client("Unable to describe task definition.")
    }

    pub(crate) fn unknown_operation(operation: &str) -> Self {
        Self::new(
            "UnknownOperationException",
            format!("The sandbox has no operation {operation} in Amazon ECS."),
        )
    }

    pub(crate) fn missing(field: &str) -> Self {
        Self::invalid(format!("{field} must not be empty."))
    }
}

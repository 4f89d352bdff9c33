//! Refusals of CloudWatch, which have one name in the Query protocol and another as a shape.

use http::StatusCode;

/// Why CloudWatch did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub(crate) struct CloudWatchError {
    /// As in the Query protocol.
    pub(crate) code: &'static str,
    /// The shape in the service's model (its `awsQueryError` trait maps the two).
    pub(crate) shape: &'static str,
    pub(crate) status: StatusCode,
    pub(crate) message: String,
}

impl CloudWatchError {
    pub(crate) fn value(message: impl Into<String>) -> Self {
        Self::sender("InvalidParameterValue", "InvalidParameterValueException", message)
    }

    pub(crate) fn combination(message: impl Into<String>) -> Self {
        Self::sender(
            "InvalidParameterCombination",
            "InvalidParameterCombinationException",
            message,
        )
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let message = format!("The parameter {parameter} is required.");
        Self::sender("MissingParameter", "MissingRequiredParameterException", message)
    }

    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::sender("ValidationError", "ValidationError", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            ..Self::sender("ResourceNotFound", "ResourceNotFound", message)
        }
    }

    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::sender("SerializationException", "SerializationException", message)
    }

    pub(crate) fn unknown_operation(operation: &str) -> Self {
        let message = format!("The sandbox does not have the operation {operation}");
        Self::sender("InvalidAction", "UnknownOperationException", message)
    }

    fn sender(code: &'static str, shape: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            shape,
            status: StatusCode::BAD_REQUEST,
            message: message.into(),
        }
    }
}

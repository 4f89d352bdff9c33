//! From the SDK's errors to ours: what was being done, what kind of failure it is, AWS's own words as the cause.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecs::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use thiserror::Error;
use tt_execute::{PortError, PortErrorKind};

/// What AWS said.
#[derive(Debug, Error)]
#[error("{code}: {message}")]
struct Said {
    code: String,
    message: String,
}

/// What went wrong on the way to AWS.
#[derive(Debug, Error)]
#[error("{0}")]
struct OnTheWay(String);

/// An answer without something that AWS's documents promise.
#[derive(Debug, Error)]
#[error("the answer has no {0}")]
struct Absent(&'static str);

/// Turns an SDK error into a port error; `action` completes "could not …".
pub(crate) fn failed<E>(action: impl Into<String>) -> impl FnOnce(SdkError<E, HttpResponse>) -> PortError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let action = action.into();
    move |error| {
        let kind = kind(&error);
        let source: Box<dyn Error + Send + Sync> = match &error {
            SdkError::ServiceError(inner) => Box::new(Said {
                code: inner.err().code().unwrap_or("no error code").to_owned(),
                message: inner.err().message().unwrap_or("no message").to_owned(),
            }),
            SdkError::ConstructionFailure(_)
            | SdkError::TimeoutError(_)
            | SdkError::DispatchFailure(_)
            | SdkError::ResponseError(_)
            | _ => Box::new(OnTheWay(innermost(&error))),
        };
        PortError {
            action,
            kind,
            hint: hint(kind),
            source: Some(source),
        }
    }
}

/// AWS answered, but not as documented.
pub(crate) fn absent(action: &str, field: &'static str) -> PortError {
    PortError {
        action: action.to_owned(),
        kind: PortErrorKind::Unexpected,
        hint: None,
        source: Some(Box::new(Absent(field))),
    }
}

/// Something that was named does not exist.
pub(crate) fn not_found(action: impl Into<String>, what: impl Into<String>, hint: impl Into<String>) -> PortError {
    PortError {
        action: action.into(),
        kind: PortErrorKind::NotFound,
        hint: Some(hint.into()),
        source: Some(Box::new(OnTheWay(what.into()))),
    }
}

/// A failure that is not the SDK's.
pub(crate) fn other(action: impl Into<String>, kind: PortErrorKind, cause: impl Into<String>) -> PortError {
    PortError {
        action: action.into(),
        kind,
        hint: hint(kind),
        source: Some(Box::new(OnTheWay(cause.into()))),
    }
}

fn hint(kind: PortErrorKind) -> Option<String> {
    match kind {
        PortErrorKind::Credentials => {
            Some("renew the credentials (`aws sso login`, the CI role), or set AWS_PROFILE".to_owned())
        }
        PortErrorKind::Denied => {
            Some("the role lacks this permission (Terraform module `ci-access` lists what tt-ops calls)".to_owned())
        }
        PortErrorKind::Throttled => {
            Some("AWS limits these calls for the whole account; try again in a minute".to_owned())
        }
        PortErrorKind::Unreachable
        | PortErrorKind::NotFound
        | PortErrorKind::Conflict
        | PortErrorKind::Unexpected
        | PortErrorKind::Other => None,
    }
}

fn kind<E>(error: &SdkError<E, HttpResponse>) -> PortErrorKind
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(inner) => {
            kind_of_code(inner.err().code().unwrap_or_default(), inner.raw().status().as_u16())
        }
        SdkError::TimeoutError(_) => PortErrorKind::Unreachable,
        SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => PortErrorKind::Unreachable,
        SdkError::ResponseError(_) => PortErrorKind::Other,
        // The SDK wraps missing credentials in a dispatch or a construction failure, depending on where it asked for them.
        SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_) | _ => {
            if has_credentials_error(error) {
                PortErrorKind::Credentials
            } else {
                PortErrorKind::Other
            }
        }
    }
}

fn kind_of_code(code: &str, status: u16) -> PortErrorKind {
    match code {
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "IncompleteSignature" => PortErrorKind::Credentials,
        "PreconditionFailed"
        | "ConditionalRequestConflict"
        | "ConflictException"
        // Amazon RDS API Reference: the instance, or the snapshot, is not in the state that the operation needs.
        | "InvalidDBInstanceState"
        | "InvalidDBSnapshotState"
        | "DBInstanceAlreadyExists"
        | "DBSnapshotAlreadyExists"
        | "InvalidRestoreFault"
        | "PointInTimeRestoreNotEnabled"
        | "SnapshotQuotaExceeded"
        | "InstanceQuotaExceeded"
        | "StorageQuotaExceeded"
        | "InsufficientDBInstanceCapacity" => PortErrorKind::Conflict,
        _ if code.contains("AccessDenied") || code.contains("NotAuthorized") || code == "UnauthorizedOperation" => {
            PortErrorKind::Denied
        }
        _ if code.contains("NotFound") || code.starts_with("NoSuch") => PortErrorKind::NotFound,
        _ if code.contains("Throttl") || code == "TooManyRequestsException" || code == "SlowDown" => {
            PortErrorKind::Throttled
        }
        _ if status == 403 => PortErrorKind::Denied,
        _ if status == 429 => PortErrorKind::Throttled,
        _ if (400..500).contains(&status) => PortErrorKind::Unexpected,
        _ => PortErrorKind::Other,
    }
}

fn has_credentials_error(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// The innermost cause says what happened ("Connection refused"); the layers above it only say where.
fn innermost(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = cause.to_string();
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_kinds() {
        let table = [
            ("ExpiredTokenException", 400, PortErrorKind::Credentials),
            ("UnrecognizedClientException", 400, PortErrorKind::Credentials),
            ("MissingAuthenticationToken", 403, PortErrorKind::Credentials),
            ("AccessDeniedException", 400, PortErrorKind::Denied),
            ("AccessDenied", 403, PortErrorKind::Denied),
            ("ClusterNotFoundException", 400, PortErrorKind::NotFound),
            ("NoSuchBucket", 404, PortErrorKind::NotFound),
            ("ThrottlingException", 400, PortErrorKind::Throttled),
            ("SlowDown", 503, PortErrorKind::Throttled),
            ("PreconditionFailed", 412, PortErrorKind::Conflict),
            ("ConflictException", 400, PortErrorKind::Conflict),
            ("InvalidDBInstanceState", 400, PortErrorKind::Conflict),
            ("SnapshotQuotaExceeded", 400, PortErrorKind::Conflict),
            ("DBSnapshotNotFound", 404, PortErrorKind::NotFound),
            ("InvalidParameterException", 400, PortErrorKind::Unexpected),
            ("ServerException", 500, PortErrorKind::Other),
        ];
        for (code, status, kind) in table {
            assert_eq!(kind_of_code(code, status), kind, "{code}");
        }
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        assert!(kind_of_code("ThrottlingException", 400).passes());
        assert!(kind_of_code("ServerException", 500).passes());
        assert!(!kind_of_code("AccessDeniedException", 400).passes());
        assert!(!kind_of_code("ExpiredTokenException", 400).passes());
    }
}

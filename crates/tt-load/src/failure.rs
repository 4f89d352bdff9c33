//! What counts as a failed request.

use crate::{client::Exchange, operation::Operation, report::Failure};

/// A failure is whatever a user would not take for an answer: no response, 5xx, or a status the request did not ask for.
pub(crate) fn of(operation: &Operation, exchange: &Exchange) -> Option<Failure> {
    let (release, status, error) = match &exchange.outcome {
        Ok(answer) if operation.expects(answer.status) => return None,
        Ok(answer) => (answer.release().map(str::to_owned), Some(answer.status.as_u16()), None),
        Err(error) => (None, None, Some(error.clone())),
    };
    Some(Failure {
        at_unix_ms: exchange.answered_unix_ms,
        sent_unix_ms: exchange.sent_unix_ms,
        release,
        status,
        error,
        method: operation.method().to_string(),
        route: operation.route().to_owned(),
    })
}

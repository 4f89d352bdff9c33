//! Why a look came to nothing.

/// What could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ExamineError {
    /// No connection.
    #[error("could not reach the database")]
    Connect(#[source] sqlx::Error),
    /// A connection, and no answer.
    #[error("could not read {what}")]
    Read {
        /// What was being read.
        what: &'static str,
        /// What PostgreSQL said.
        #[source]
        cause: sqlx::Error,
    },
}

/// Names what was being read.
pub(crate) fn reading(what: &'static str) -> impl FnOnce(sqlx::Error) -> ExamineError {
    move |cause| ExamineError::Read { what, cause }
}

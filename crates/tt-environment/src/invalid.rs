//! Why a single value was refused, in the same words wherever it came from: a file, a flag or an event.

use std::fmt;

/// A value that does not fit its type: what it should have been, and what was found instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    expected: &'static str,
    found: Option<String>,
}

impl InvalidValue {
    /// A refused value that may be shown.
    pub(crate) fn new(found: impl Into<String>, expected: &'static str) -> Self {
        Self {
            expected,
            found: Some(found.into()),
        }
    }

    /// A refused value that may be a secret by mistake, so it is not kept at all.
    pub(crate) fn unseen(expected: &'static str) -> Self {
        Self { expected, found: None }
    }

    /// What the type accepts, as a noun phrase: “an AWS account id: 12 digits”.
    pub fn expected(&self) -> &'static str {
        self.expected
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(found) = &self.found {
            write!(f, "`{}` is not {}", found.escape_debug(), self.expected)
        } else {
            write!(f, "the value (not shown) is not {}", self.expected)
        }
    }
}

impl std::error::Error for InvalidValue {}

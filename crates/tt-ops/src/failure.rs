//! Why a command fails before, or instead of, executing a plan: what, where, and what to do next.

use std::error::Error;

use tt_environment::LoadError;
use tt_execute::{Halt, PortError, PortErrorKind};
use tt_plan::Refusals;

use crate::exit::Exit;

/// A failure as the reports show it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One line each: what is wrong.
    pub(crate) what: Vec<String>,
    /// What to do next, when that is known.
    pub(crate) hints: Vec<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: vec![what.into()],
            hints: Vec::new(),
        }
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        Self::new(Exit::Usage, chain(&error))
    }
}

impl From<Refusals> for Failure {
    fn from(refusals: Refusals) -> Self {
        let mut hints: Vec<String> = Vec::new();
        for refusal in refusals.iter() {
            let hint = refusal.hint();
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
        Self {
            exit: Exit::Refused,
            what: refusals.iter().map(ToString::to_string).collect(),
            hints,
        }
    }
}

impl From<PortError> for Failure {
    fn from(error: PortError) -> Self {
        let exit = match error.kind {
            PortErrorKind::Unexpected => Exit::Internal,
            PortErrorKind::Unreachable
            | PortErrorKind::Credentials
            | PortErrorKind::Denied
            | PortErrorKind::NotFound
            | PortErrorKind::Throttled
            | PortErrorKind::Conflict
            | PortErrorKind::Other => Exit::Failed,
        };
        let hints = error.hint.iter().cloned().collect();
        Self {
            exit,
            what: vec![chain(&error)],
            hints,
        }
    }
}

impl From<tt_migrate::Failure> for Failure {
    fn from(failure: tt_migrate::Failure) -> Self {
        Self::new(Exit::of_code(failure.exit().code()), chain(&failure)).hint(failure.hint())
    }
}

impl From<Halt> for Failure {
    fn from(halt: Halt) -> Self {
        if let Halt::Port(error) = halt {
            return Self::from(error);
        }
        Self::new(Exit::of_migration(&halt), chain(&halt))
    }
}

/// An error with its causes on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

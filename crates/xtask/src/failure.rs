//! Every way in which a chore ends early.

use std::{io, path::PathBuf, process::ExitCode, time::Duration};

/// What went wrong, and with what.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("could not find out where this program lies")]
    Place(#[source] io::Error),
    #[error("could not listen for Ctrl-C")]
    Signals(#[source] io::Error),
    #[error("interrupted")]
    Interrupted,
    #[error("could not start {program}")]
    Start {
        program: String,
        #[source]
        cause: io::Error,
    },
    #[error("could not wait for {program}")]
    Wait {
        program: String,
        #[source]
        cause: io::Error,
    },
    #[error("{program} ended with {how}{}", see(.log.as_ref()))]
    Program {
        program: String,
        how: String,
        log: Option<PathBuf>,
    },
    #[error("{program} was not done after {} s", limit.as_secs())]
    TooLong { program: String, limit: Duration },
    #[error("could not write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("could not read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
    #[error("{} is not what was expected", path.display())]
    Json {
        path: PathBuf,
        #[source]
        cause: serde_json::Error,
    },
    #[error(
        "{address} is taken by another program ({purpose}); `make down` ends an environment that `make up` started, `ss -ltnp` names anything else"
    )]
    Port { address: String, purpose: &'static str },
    #[error("{what} is missing and cannot be installed from here; as root, type: apt-get install {packages}")]
    Missing { what: String, packages: String },
    #[error("{what} is missing; as root, type: apt-get install {packages}   or let this do it: {allow}")]
    NotInstalled {
        what: String,
        packages: String,
        allow: &'static str,
    },
    #[error("could not ask the sandbox for {path}")]
    Ask {
        path: &'static str,
        #[source]
        cause: io::Error,
    },
    #[error("the sandbox's answer to {path} is not what was expected")]
    Answer {
        path: &'static str,
        #[source]
        cause: serde_json::Error,
    },
    #[error("{program} ended with {how}{}", indented(.said))]
    Said { program: String, how: String, said: String },
    #[error("{0}")]
    Check(String),
    #[error("the story did not go as it must: {0}")]
    Story(String),
}

impl Failure {
    /// 130 is what a shell reports for a program that Ctrl-C ended.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if matches!(self, Self::Interrupted) {
            ExitCode::from(130)
        } else {
            ExitCode::FAILURE
        }
    }
}

fn see(log: Option<&PathBuf>) -> String {
    log.map_or_else(String::new, |log| format!("; what it said is in {}", log.display()))
}

fn indented(said: &str) -> String {
    said.lines().flat_map(|line| ["\n    ", line]).collect()
}

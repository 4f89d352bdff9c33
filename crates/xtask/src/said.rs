//! Programs that are run for what they say.

use std::process::{Command, ExitStatus, Stdio};

use crate::{child::ending, failure::Failure, interrupt::Interrupt};

/// How a program ended, and its words.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Everything it said, its complaints last.
    pub(crate) fn all(&self) -> String {
        [self.out.trim(), self.err.trim()]
            .into_iter()
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Runs it to its end, whatever that is.
pub(crate) fn ask(program: &str, command: &mut Command, interrupt: &Interrupt) -> Result<Said, Failure> {
    let output = command.stdin(Stdio::null()).output().map_err(|cause| Failure::Start {
        program: program.to_owned(),
        cause,
    })?;
    interrupt.check()?;
    Ok(Said {
        status: output.status,
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs it to its end, which must be well; gives its standard output without the last line end.
pub(crate) fn said(program: &str, command: &mut Command, interrupt: &Interrupt) -> Result<String, Failure> {
    let said = ask(program, command, interrupt)?;
    if said.status.success() {
        return Ok(said.out.trim_end().to_owned());
    }
    Err(Failure::Said {
        program: program.to_owned(),
        how: ending(said.status),
        said: said.all(),
    })
}

//! Runs PostgreSQL's programs, and a few of the system's, as the user who owns the databases; none outlives the sandbox.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::error::RdsError;
use super::installation::Installation;
use super::privilege::Identity;
use crate::runtime::{LogLine, Process, ProcessSpec, Runtime};

/// What it takes to run them.
pub(super) struct Programs {
    pub(super) runtime: Arc<Runtime>,
    pub(super) installation: Installation,
    pub(super) identity: Identity,
}

/// A program that runs, and what it prints.
pub(super) type Started = (Process, mpsc::UnboundedReceiver<LogLine>);

impl Programs {
    /// Starts one of PostgreSQL's programs. `passes` is the file with the password of its connections; a password in an
    /// argument would be in everybody's process list.
    pub(super) async fn start(
        &self,
        program: &'static str,
        options: &[&str],
        passes: &Path,
    ) -> Result<Started, RdsError> {
        self.spawn(program, &self.installation.program(program), options, passes)
            .await
    }

    /// Runs one of PostgreSQL's programs to its end.
    pub(super) async fn run(&self, program: &'static str, options: &[&str], passes: &Path) -> Result<(), RdsError> {
        let started = self.start(program, options, passes).await?;
        finish(program, started, |_| ()).await.map(drop)
    }

    /// The same, with what it printed; `heard` gets each line when it comes.
    pub(super) async fn listen(
        &self,
        program: &'static str,
        options: &[&str],
        passes: &Path,
        heard: impl FnMut(&str),
    ) -> Result<Vec<String>, RdsError> {
        let started = self.start(program, options, passes).await?;
        finish(program, started, heard).await
    }

    /// Copies a folder with owners and modes; where the file system can, the two share their blocks until one changes.
    pub(super) async fn copy(&self, from: &Path, to: &Path) -> Result<(), RdsError> {
        let (from, to) = (from.to_string_lossy(), to.to_string_lossy());
        let options = ["-a", "--reflink=auto", "--sparse=auto", "--", &from, &to];
        let started = self.spawn("cp", "cp", &options, Path::new("/dev/null")).await?;
        finish("cp", started, |_| ()).await.map(drop)
    }

    async fn spawn(
        &self,
        name: &'static str,
        program: &str,
        options: &[&str],
        passes: &Path,
    ) -> Result<Started, RdsError> {
        let mut command = self.identity.prefix();
        command.push(program.to_owned());
        command.extend(options.iter().map(|option| (*option).to_owned()));
        let (sender, lines) = mpsc::unbounded_channel();
        let environment = [
            ("PATH", std::env::var("PATH").unwrap_or_default()),
            // Messages are read, so they must be in one language.
            ("LC_ALL", "C.UTF-8".to_owned()),
            ("TZ", "UTC".to_owned()),
            ("PGPASSFILE", passes.to_string_lossy().into_owned()),
        ];
        let spec = ProcessSpec {
            rootfs: PathBuf::from("/"),
            command,
            environment: environment.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            working_dir: PathBuf::from("/"),
            address: Ipv4Addr::LOCALHOST,
            lines: sender,
        };
        let process = self
            .runtime
            .spawn(spec)
            .await
            .map_err(|cause| RdsError::Spawn { program: name, cause })?;
        Ok((process, lines))
    }
}

async fn finish(
    program: &'static str,
    (process, mut lines): Started,
    mut heard: impl FnMut(&str),
) -> Result<Vec<String>, RdsError> {
    let mut output = Vec::new();
    while let Some(line) = lines.recv().await {
        heard(&line.text);
        output.push(line.text);
    }
    if process.wait().await.code == 0 {
        return Ok(output);
    }
    // The reason comes last; a long way to it helps nobody.
    let last = output.len().saturating_sub(10);
    Err(RdsError::Program {
        program,
        output: output[last..].join("; "),
    })
}

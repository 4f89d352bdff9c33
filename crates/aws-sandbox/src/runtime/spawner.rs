//! The one thread that starts every child.
//!
//! `setpriv --pdeathsig KILL` makes the kernel kill a child when the *thread* that spawned it ends (prctl(2),
//! `PR_SET_PDEATHSIG`). A thread of a blocking pool ends when idle, so children are spawned by this one, which lives as long as
//! the sandbox; when the sandbox dies, however it dies, its children die with it.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot, watch};

use super::engine::EngineError;
use super::process::{self, Control, Exit, Process};
use super::program::{self, NoProgram};
use super::{ProcessSpec, RunAs};

/// A process could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// The image does not have what it is told to run.
    #[error("CannotStartContainerError: {0}")]
    Program(NoProgram),
    /// The operating system refused.
    #[error("could not start {program}")]
    Start {
        program: String,
        #[source]
        cause: io::Error,
    },
    /// util-linux is absent, without which children could outlive the sandbox.
    #[error("could not find `setpriv` on PATH; it is part of util-linux: `apt-get install util-linux`")]
    NoSetpriv,
    /// The engine would not run the container.
    #[error("CannotStartContainerError")]
    Engine(#[source] EngineError),
    /// The sandbox is going down.
    #[error("the process runtime has stopped")]
    Stopped,
}

/// How long the log may stay open after the end of the process.
const LAST_WORDS: Duration = Duration::from_secs(1);

type Request = (ProcessSpec, oneshot::Sender<Result<Process, SpawnError>>);

/// The way to the spawning thread.
#[derive(Debug)]
pub(super) struct Spawner {
    requests: mpsc::UnboundedSender<Request>,
}

impl Spawner {
    pub(super) fn start(user: Option<RunAs>) -> io::Result<Self> {
        let (requests, mut inbox) = mpsc::unbounded_channel::<Request>();
        // A runtime of its own on this one thread: both spawning and reaping stay on it.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new()
            .name(String::from("spawner"))
            .spawn(move || {
                runtime.block_on(async {
                    while let Some((spec, reply)) = inbox.recv().await {
                        // A caller that gave up meanwhile leaves an orphan behind otherwise.
                        if let Err(Ok(unclaimed)) = reply.send(start(spec, user)) {
                            unclaimed.kill();
                        }
                    }
                });
            })?;
        Ok(Self { requests })
    }

    pub(super) async fn spawn(&self, spec: ProcessSpec) -> Result<Process, SpawnError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send((spec, reply)).map_err(|_| SpawnError::Stopped)?;
        answer.await.map_err(|_| SpawnError::Stopped)?
    }
}

fn start(spec: ProcessSpec, user: Option<RunAs>) -> Result<Process, SpawnError> {
    let mut command = command(&spec, user)?;
    let mut child = command.spawn().map_err(|cause| SpawnError::Start {
        program: spec.command.first().cloned().unwrap_or_default(),
        cause,
    })?;
    let pid = child.id().unwrap_or_default();
    let (sender, end) = watch::channel(None);
    let process = Process {
        pid,
        end,
        control: Control::Own,
    };
    let watched = process.clone();
    tokio::spawn(async move {
        let exit = until_end(&mut child, &watched, spec).await;
        sender.send_replace(Some(exit));
    });
    Ok(process)
}

/// Reads the outputs until the process ends, then ends what it left behind in its group.
async fn until_end(child: &mut Child, process: &Process, spec: ProcessSpec) -> Exit {
    let out = child
        .stdout
        .take()
        .map(|pipe| tokio::spawn(process::forward_lines(BufReader::new(pipe), spec.lines.clone())));
    let err = child
        .stderr
        .take()
        .map(|pipe| tokio::spawn(process::forward_lines(BufReader::new(pipe), spec.lines)));
    let status = child.wait().await;
    // As when a container's first process ends. The pipes close with the last of them, so the log is complete below.
    process.kill();
    for reader in [out, err].into_iter().flatten() {
        if tokio::time::timeout(LAST_WORDS, reader).await.is_err() {
            tracing::warn!(
                pid = process.pid(),
                "something left the task's process group and still holds its output open"
            );
        }
    }
    status.map_or(Exit { code: 255 }, exit)
}

fn exit(status: ExitStatus) -> Exit {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Exit {
        code: code.unwrap_or(255),
    }
}

fn command(spec: &ProcessSpec, user: Option<RunAs>) -> Result<Command, SpawnError> {
    let path = spec
        .environment
        .iter()
        .find(|(name, _)| name == "PATH")
        .map_or(program::DEFAULT_PATH, |(_, path)| path);
    let (program, arguments) = spec
        .command
        .split_first()
        .ok_or(SpawnError::Program(NoProgram::NoCommand))?;
    let executable =
        program::executable(&spec.rootfs, &spec.working_dir, path, program).map_err(SpawnError::Program)?;
    let setpriv = setpriv().ok_or(SpawnError::NoSetpriv)?;
    let mut command = Command::new(setpriv);
    // Without new privileges no set-user-id program can shed the death signal.
    command.args(["--pdeathsig", "KILL", "--no-new-privs"]);
    if let Some(RunAs { uid, gid }) = user {
        command.args([
            "--reuid",
            &uid.to_string(),
            "--regid",
            &gid.to_string(),
            "--clear-groups",
        ]);
    }
    command.arg("--").arg(executable).args(arguments);
    // The environment carries secrets, so it never passes through an argument list.
    command
        .env_clear()
        .env("PATH", path)
        .envs(spec.environment.iter().map(|(name, value)| (name, value)));
    command.env("HOST", spec.address.to_string());
    command.current_dir(working_dir(&spec.rootfs, &spec.working_dir));
    command.process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

fn working_dir(rootfs: &Path, wanted: &Path) -> PathBuf {
    program::inside(rootfs, wanted)
        .filter(|folder| folder.is_dir())
        .unwrap_or_else(|| rootfs.to_owned())
}

/// The sandbox's own PATH decides, not the task's, which says where things are inside the image.
fn setpriv() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from(program::DEFAULT_PATH));
    std::env::split_paths(&path)
        .map(|folder| folder.join("setpriv"))
        .find(|file| file.is_file())
}

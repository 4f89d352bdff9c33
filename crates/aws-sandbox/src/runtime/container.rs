//! Tasks as containers: the engine pulls their images from the sandbox's own registry, and everything else is as with processes.
//!
//! Containers share the machine's network, because a task's address is one of the loopback's: `HOST` tells it which, several
//! tasks have the same port on different addresses, and nobody outside the machine reaches any. What isolates them otherwise is
//! theirs: file system, process numbers, user, capabilities, memory.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::{mpsc, watch};

use super::engine::{Engine, EngineError};
use super::frames::{Frames, Stream};
use super::guard::{self, Guard};
use super::probe::Probe;
use super::process::{self, Control, Exit, LogLine, Process};
use super::spawner::SpawnError;

/// Containers of one state folder, whichever run of the sandbox started them.
const STATE_LABEL: &str = "aws-sandbox.state";
/// Containers of one run of the sandbox.
const RUN_LABEL: &str = "aws-sandbox.run";
/// Whom a container is for when neither its image nor its definition says so: root is nobody's choice.
const NOBODY: &str = "65534:65534";
/// How long the output may stay open after the end.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Room between the engine's frames and whoever cuts them into lines.
const PIPE: usize = 64 * 1024;

/// What runs containers, and sees to it that none outlives the sandbox.
#[derive(Debug)]
pub(crate) struct Containers {
    engine: Engine,
    registry: SocketAddrV4,
    state: String,
    run: String,
    /// Only held: it acts when it is dropped, or when this process ends.
    _guard: Guard,
}

/// One container to start.
#[derive(Debug)]
pub(crate) struct ContainerSpec {
    /// Repository and digest in the sandbox's registry: `task-tracker@sha256:…`.
    pub(crate) image: String,
    /// The entry point followed by the command.
    pub(crate) command: Vec<String>,
    /// The whole environment. `HOST` is set on top, as for a process.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) working_dir: String,
    /// The user of the task definition, or else the image's own.
    pub(crate) user: Option<String>,
    pub(crate) root: RootFileSystem,
    /// The hard limit in MiB (Amazon ECS API Reference, `ContainerDefinition`, memory).
    pub(crate) memory_mib: Option<i64>,
    /// Where it listens; from [`super::Runtime::allocate`].
    pub(crate) address: Ipv4Addr,
    pub(crate) lines: mpsc::UnboundedSender<LogLine>,
}

/// Whether a container may write to the files of its image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RootFileSystem {
    Writable,
    ReadOnly,
}

/// Containers cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoContainers {
    #[error(
        "tasks cannot run as containers: start an engine (`systemctl start docker`), name its socket with DOCKER_HOST, or let them run as processes"
    )]
    Engine(#[source] EngineError),
    #[error(
        "could not find `docker` on PATH, without which containers could outlive the sandbox; install Docker's command line, or let tasks run as processes"
    )]
    NoClient,
    #[error("could not start the guard that ends containers with the sandbox")]
    Guard(#[source] std::io::Error),
}

impl Containers {
    /// Finds the engine, and removes what an earlier run on the same state left behind.
    pub(crate) async fn connect(socket: &Path, registry: SocketAddrV4, state: &Path) -> Result<Self, NoContainers> {
        let engine = Engine::connect(socket).await.map_err(NoContainers::Engine)?;
        let client = guard::client().ok_or(NoContainers::NoClient)?;
        let state = std::path::absolute(state).unwrap_or_else(|_| state.to_owned());
        let state = state.display().to_string();
        let left = engine.labelled(&format!("{STATE_LABEL}={state}")).await;
        for id in left.map_err(NoContainers::Engine)? {
            engine.remove(&id).await.map_err(NoContainers::Engine)?;
        }
        let run = uuid::Uuid::new_v4().to_string();
        let guard =
            Guard::post(&client, engine.socket(), &format!("{RUN_LABEL}={run}")).map_err(NoContainers::Guard)?;
        Ok(Self {
            engine,
            registry,
            state,
            run,
            _guard: guard,
        })
    }

    /// Starts a container; it is running when this returns, and can be asked about its health.
    pub(crate) async fn run(&self, spec: ContainerSpec) -> Result<(Process, Probe), SpawnError> {
        let image = format!("{}/{}", self.registry, spec.image);
        self.engine.pull(&image).await.map_err(SpawnError::Engine)?;
        let id = self
            .engine
            .create(&self.description(&image, &spec))
            .await
            .map_err(SpawnError::Engine)?;
        let pid = match self.started(&id).await {
            Ok(pid) => pid,
            Err(error) => {
                forget(&self.engine, &id).await;
                return Err(SpawnError::Engine(error));
            }
        };
        let (sender, end) = watch::channel(None);
        let process = Process {
            pid,
            end,
            control: Control::Container {
                engine: self.engine.clone(),
                id: id.clone(),
            },
        };
        let probe = Probe::inside(self.engine.clone(), id.clone());
        let engine = self.engine.clone();
        tokio::spawn(async move {
            let exit = until_end(&engine, &id, spec.lines).await;
            forget(&engine, &id).await;
            sender.send_replace(Some(exit));
        });
        Ok((process, probe))
    }

    async fn started(&self, id: &str) -> Result<u32, EngineError> {
        self.engine.start(id).await?;
        self.engine.process(id).await
    }

    /// A container in the words of the Docker Engine API, "Create a container".
    fn description(&self, image: &str, spec: &ContainerSpec) -> Value {
        let mut environment: Vec<String> = spec
            .environment
            .iter()
            .filter(|(name, _)| name != "HOST")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        environment.push(format!("HOST={}", spec.address));
        let (program, arguments) = spec
            .command
            .split_first()
            .map_or((None, &[][..]), |(first, rest)| (Some(first), rest));
        json!({
            "Image": image,
            "Entrypoint": program.map(|program| vec![program]),
            "Cmd": arguments,
            "Env": environment,
            "WorkingDir": spec.working_dir,
            "User": user(spec.user.as_deref()),
            "Labels": { STATE_LABEL: self.state, RUN_LABEL: self.run },
            // Amazon ECS looks at the container definition's health check alone, never at the image's.
            "Healthcheck": { "Test": ["NONE"] },
            "HostConfig": {
                "NetworkMode": "host",
                "ReadonlyRootfs": spec.root == RootFileSystem::ReadOnly,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "Memory": spec.memory_mib.map_or(0, |mib| mib * 1024 * 1024),
                // Of the engine's log drivers, one that can always be read back; what ECS keeps is the sandbox's own business.
                "LogConfig": { "Type": "json-file", "Config": { "max-size": "16m", "max-file": "2" } },
            },
        })
    }
}

/// Root is refused as a silent default: an image that names nobody runs as nobody.
fn user(named: Option<&str>) -> &str {
    named.filter(|user| !user.is_empty()).unwrap_or(NOBODY)
}

async fn forget(engine: &Engine, id: &str) {
    if let Err(error) = engine.remove(id).await {
        tracing::warn!(%error, container = id, "a container could not be removed");
    }
}

/// Forwards what it prints until it ends.
async fn until_end(engine: &Engine, id: &str, lines: mpsc::UnboundedSender<LogLine>) -> Exit {
    let output = engine.output(id).await;
    let forwarding = match output {
        Ok(output) => Some(tokio::spawn(forward(output, lines))),
        Err(error) => {
            tracing::warn!(%error, container = id, "what a container prints is lost");
            None
        }
    };
    let code = engine.wait(id).await.unwrap_or_else(|error| {
        tracing::warn!(%error, container = id, "how a container ended is unknown");
        255
    });
    if let Some(forwarding) = forwarding
        && tokio::time::timeout(LAST_WORDS, forwarding).await.is_err()
    {
        tracing::warn!(container = id, "the output of a container did not end with it");
    }
    Exit { code }
}

/// Both outputs, each cut into lines by itself.
async fn forward(mut output: Incoming, lines: mpsc::UnboundedSender<LogLine>) {
    let pipe = || {
        let (writer, reader) = tokio::io::duplex(PIPE);
        let cutting = tokio::spawn(process::forward_lines(BufReader::new(reader), lines.clone()));
        (writer, cutting)
    };
    let ((mut out, out_lines), (mut err, err_lines)) = (pipe(), pipe());
    let mut frames = Frames::default();
    while let Some(Ok(piece)) = output.frame().await {
        if let Some(data) = piece.data_ref() {
            frames.push(data);
        }
        while let Some((stream, text)) = frames.next() {
            let into: &mut DuplexStream = match stream {
                Stream::Out => &mut out,
                Stream::Err => &mut err,
            };
            if into.write_all(&text).await.is_err() {
                return;
            }
        }
    }
    drop((out, err));
    drop(tokio::join!(out_lines, err_lines));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_root_by_default() {
        for (named, expected) in [
            (None, NOBODY),
            (Some(""), NOBODY),
            (Some("65532:65532"), "65532:65532"),
            (Some("0"), "0"),
        ] {
            assert_eq!(user(named), expected, "{named:?}");
        }
    }
}

//! Tasks as real programs: an OS process or a container each, on an address of its own in the sandbox's 127.n.0.0/16.
//!
//! Owns spawning, addresses, signals, output lines and resource readings. It never knows what a task or a service is.
//! No process outlives the sandbox: the kernel kills each one when the thread that spawned it ends (see [`spawner`]), and a
//! guard ends each container (see [`guard`]).

mod address;
mod container;
mod engine;
mod frames;
mod guard;
mod probe;
mod process;
mod program;
mod spawner;

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

pub(crate) use container::{ContainerSpec, Containers, RootFileSystem};
pub(crate) use probe::Probe;
pub(crate) use process::{LogLine, Process};
pub(crate) use program::inside;
pub(crate) use spawner::SpawnError;

use address::Addresses;
use spawner::Spawner;

/// Everything that runs processes.
#[derive(Debug)]
pub(crate) struct Runtime {
    addresses: Mutex<Addresses>,
    spawner: Spawner,
    containers: Option<Containers>,
}

/// One process to start.
#[derive(Debug, Clone)]
pub(crate) struct ProcessSpec {
    /// The unpacked image; the program and the working directory are looked up inside it.
    pub(crate) rootfs: PathBuf,
    /// The entry point followed by the command, as a container would get them.
    pub(crate) command: Vec<String>,
    /// The whole environment. The runtime sets `HOST` to the address on top: a process has no network namespace, so it must
    /// be told where "all interfaces" is.
    pub(crate) environment: Vec<(String, String)>,
    /// The image's working directory, e.g. `/app`.
    pub(crate) working_dir: PathBuf,
    /// Where the process listens; from [`Runtime::allocate`].
    pub(crate) address: Ipv4Addr,
    /// Receives what the process prints, line by line.
    pub(crate) lines: mpsc::UnboundedSender<LogLine>,
}

/// The unprivileged user and group that processes run as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RunAs {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Runtime {
    /// Starts the spawning thread. `user` drops root; it is refused by the kernel when the sandbox itself is not root.
    pub(crate) fn start(network: u8, user: Option<(u32, u32)>) -> io::Result<Arc<Self>> {
        Self::with_containers(network, user, None)
    }

    /// The same, and with containers when there are any.
    pub(crate) fn with_containers(
        network: u8,
        user: Option<(u32, u32)>,
        containers: Option<Containers>,
    ) -> io::Result<Arc<Self>> {
        let spawner = Spawner::start(user.map(|(uid, gid)| RunAs { uid, gid }))?;
        Ok(Arc::new(Self {
            addresses: Mutex::new(Addresses::of(network)),
            spawner,
            containers,
        }))
    }

    /// What runs tasks as containers; nothing when they are processes.
    pub(crate) fn containers(&self) -> Option<&Containers> {
        self.containers.as_ref()
    }

    /// An address that no living task has.
    pub(crate) fn allocate(&self) -> Ipv4Addr {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner).allocate()
    }

    /// Gives an address back once its process is gone.
    pub(crate) fn release(&self, ip: Ipv4Addr) {
        self.addresses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .release(ip);
    }

    /// Starts a process; it is running when this returns.
    pub(crate) async fn spawn(&self, spec: ProcessSpec) -> Result<Process, SpawnError> {
        self.spawner.spawn(spec).await
    }
}

#[cfg(test)]
mod tests;

//! What a sandbox is started with.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

/// How to start a sandbox. Two that run at once differ in `state_dir`, `listen` and `task_network`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Everything it remembers is in this folder.
    pub state_dir: PathBuf,
    /// Where the API listens. Load balancers listen on the same address, at their own ports.
    pub listen: SocketAddrV4,
    /// Tasks live in 127.`task_network`.0.0/16, each on an address of its own.
    pub task_network: u8,
    /// How long one minute of the AWS API lasts: bake times and hook timeouts are shortened by it. Seconds stay seconds.
    pub minute: Duration,
    /// The account the sandbox plays, twelve digits.
    pub account: String,
    /// User and group ids that tasks run as; those of the sandbox itself when absent. Only root can choose others.
    pub as_user: Option<(u32, u32)>,
    /// What a task is on this machine.
    pub runtime: TaskRuntime,
}

/// What a task is on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TaskRuntime {
    /// A process on an address of its own, from the unpacked image. Needs nothing.
    #[default]
    Process,
    /// A container of a Docker engine, which pulls the image from the sandbox's own registry.
    Container {
        /// The engine's Unix socket.
        engine: PathBuf,
    },
}

/// `DOCKER_HOST` names an engine that is reached in another way than by a Unix socket of this machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "DOCKER_HOST is `{0}`; tasks can be containers of an engine on this machine only, such as unix:///var/run/docker.sock"
)]
pub struct NotThisMachine(String);

impl TaskRuntime {
    /// Containers of the engine that Docker's own client would use: `docker_host` is the value of `DOCKER_HOST`, if it is set.
    pub fn container(docker_host: Option<&str>) -> Result<Self, NotThisMachine> {
        let host = docker_host
            .filter(|host| !host.is_empty())
            .unwrap_or("unix:///var/run/docker.sock");
        match host.strip_prefix("unix://") {
            Some(engine) => Ok(Self::Container { engine: engine.into() }),
            None => Err(NotThisMachine(host.to_owned())),
        }
    }
}

impl Config {
    /// 127.0.0.1:4566, tasks in 127.64.0.0/16, real minutes, account 000000000000.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self {
            state_dir: state_dir.into(),
            listen: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 4566),
            task_network: 64,
            minute: Duration::from_mins(1),
            account: "000000000000".to_owned(),
            as_user: None,
            runtime: TaskRuntime::Process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_where_dockers_client_looks() {
        let engine = |host: Option<&str>| TaskRuntime::container(host).map_err(|error| error.to_string());
        let at = |path: &str| Ok(TaskRuntime::Container { engine: path.into() });
        assert_eq!(engine(None), at("/var/run/docker.sock"));
        assert_eq!(engine(Some("")), at("/var/run/docker.sock"));
        assert_eq!(
            engine(Some("unix:///run/user/1000/docker.sock")),
            at("/run/user/1000/docker.sock")
        );
        let refused = engine(Some("ssh://builder")).unwrap_err();
        assert!(refused.starts_with("DOCKER_HOST is `ssh://builder`"), "{refused}");
    }
}

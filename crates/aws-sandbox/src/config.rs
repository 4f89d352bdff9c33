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
        }
    }
}

//! Where an environment's sandbox lives, and how to talk to it.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    path::PathBuf,
    time::Duration,
};

use tt_environment::Environment;

use crate::{exit::Exit, failure::Failure};

/// Tasks of a sandbox at 127.0.0.1 live in 127.64.0.0/16; one at 127.N.0.1 keeps to its own 127.N.0.0/16, so that several run side by side.
const DEFAULT_NETWORK: u8 = 64;

/// A sandbox's addresses and folders.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) listen: SocketAddrV4,
    pub(super) task_network: u8,
    pub(super) state: PathBuf,
    pub(super) stack: PathBuf,
    pub(super) log: PathBuf,
    /// Exists while the sandbox is up with everything its stack names.
    pub(super) ready: PathBuf,
}

impl Place {
    pub(super) fn of(environment: &Environment) -> Result<Self, Failure> {
        let refused = |what: &str| Failure::new(Exit::Refused, format!("environment `{}` {what}", environment.name));
        let sandbox = environment.sandbox.as_ref().ok_or_else(|| {
            refused("has no sandbox: it names a real account")
                .hint("use an environment with a `sandbox` section, such as `local`")
        })?;
        let url = environment
            .aws
            .endpoint_url
            .as_ref()
            .ok_or_else(|| refused("has no `aws.endpoint_url` for its sandbox to listen at"))?;
        let ip = match url.host_str() {
            Some("localhost") => Some(Ipv4Addr::LOCALHOST),
            host => host.and_then(|host| host.parse().ok()),
        };
        let ip = ip
            .filter(Ipv4Addr::is_loopback)
            .ok_or_else(|| refused("has an `aws.endpoint_url` that is no address of this machine"))?;
        let network = ip.octets()[1];
        Ok(Self {
            listen: SocketAddrV4::new(ip, url.port_or_known_default().unwrap_or(4566)),
            task_network: if network == 0 { DEFAULT_NETWORK } else { network },
            state: sandbox.state.clone(),
            stack: sandbox.stack.clone(),
            log: sandbox.state.join("sandbox.log"),
            ready: sandbox.state.join("ready"),
        })
    }

    /// Whether a sandbox answers there.
    pub(super) async fn answers(&self) -> bool {
        let url = format!("http://{}/_sandbox/health", self.listen);
        match client() {
            Ok(client) => client
                .get(url)
                .send()
                .await
                .is_ok_and(|response| response.status().is_success()),
            Err(_unusable) => false,
        }
    }

    /// Asks it to stop.
    pub(super) async fn stop(&self) -> Result<(), Failure> {
        let url = format!("http://{}/_sandbox/stop", self.listen);
        let asked = client()?
            .post(url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status);
        asked.map(drop).map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!(
                    "the sandbox at {} does not take a request to stop: {error}",
                    self.listen
                ),
            )
        })
    }
}

fn client() -> Result<reqwest::Client, Failure> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build();
    client.map_err(|error| Failure::new(Exit::Internal, format!("could not set up an HTTP client: {error}")))
}

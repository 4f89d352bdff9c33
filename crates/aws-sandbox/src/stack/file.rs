//! The YAML of a stack. Unknown keys are errors.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A stack could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StackFileError {
    /// The file cannot be read.
    #[error("could not read the stack {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: std::io::Error,
    },
    /// The file is not a stack.
    #[error("{} is not a stack", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        cause: serde_yaml::Error,
    },
}

/// One region of an account: a service behind a load balancer, its database, buckets and alarms.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    pub(super) region: String,
    pub(super) cluster: String,
    pub(super) load_balancer: LoadBalancer,
    pub(super) service: Service,
    #[serde(default)]
    pub(super) database: Option<Database>,
    #[serde(default)]
    pub(super) buckets: Vec<String>,
    #[serde(default)]
    pub(super) alarms: Vec<Alarm>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadBalancer {
    pub(super) name: String,
    pub(super) production_port: u16,
    pub(super) test_port: u16,
    pub(super) health_check: HealthCheck,
    pub(super) deregistration_delay_seconds: u32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HealthCheck {
    pub(super) path: String,
    pub(super) interval_seconds: NonZeroU32,
    pub(super) timeout_seconds: NonZeroU32,
    pub(super) healthy_threshold: NonZeroU32,
    pub(super) unhealthy_threshold: NonZeroU32,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) family: String,
    pub(super) container: String,
    /// What the first task definition names. Nothing pulls it before a deployment asks for tasks.
    pub(super) image: String,
    pub(super) port: u16,
    pub(super) cpu: NonZeroU32,
    pub(super) memory: NonZeroU32,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) environment: BTreeMap<String, String>,
    /// Variable → name of the secret.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    pub(super) log_group: String,
    #[serde(default)]
    pub(super) desired_count: u32,
    #[serde(default = "thirty")]
    pub(super) stop_timeout_seconds: u32,
    pub(super) deployment: Deployment,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deployment {
    pub(super) strategy: Strategy,
    #[serde(default)]
    pub(super) bake_minutes: u16,
}

/// As the API writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Strategy {
    Rolling,
    BlueGreen,
    Linear,
    Canary,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    pub(super) identifier: String,
    pub(super) name: String,
    pub(super) username: String,
    /// The secret that gets the database's URL, password included.
    pub(super) url_secret: String,
    /// How long automated backups are kept; without them nothing can be restored to a point in time.
    #[serde(default)]
    pub(super) backup_retention_days: u8,
}

/// An alarm on a metric of the load balancer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alarm {
    pub(super) name: String,
    pub(super) metric: String,
    /// `Sum`, `Average`, `p95`, …
    pub(super) statistic: String,
    pub(super) period_seconds: NonZeroU32,
    pub(super) evaluation_periods: NonZeroU32,
    /// The alarm fires above it.
    pub(super) threshold: f64,
}

fn thirty() -> u32 {
    30
}

impl Stack {
    /// Reads a stack from a file.
    pub fn read(path: &Path) -> Result<Self, StackFileError> {
        let text = std::fs::read_to_string(path).map_err(|cause| StackFileError::Read {
            path: path.to_owned(),
            cause,
        })?;
        serde_yaml::from_str(&text).map_err(|cause| StackFileError::Parse {
            path: path.to_owned(),
            cause,
        })
    }

    /// Lets the load balancer listen on other ports, for tests that run side by side.
    #[must_use]
    pub fn with_ports(mut self, production: u16, test: u16) -> Self {
        self.load_balancer.production_port = production;
        self.load_balancer.test_port = test;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stack_that_is_shipped_is_one() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infrastructure/sandbox/stack.yaml");
        let stack = Stack::read(&path).unwrap();
        assert_eq!(stack.service.desired_count, 0);
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = serde_yaml::from_str::<Stack>("region: eu-central-1\nregoin: x\n").unwrap_err();
        assert!(error.to_string().contains("regoin"), "{error}");
    }
}

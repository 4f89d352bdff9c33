//! What the account has configured: load balancers, target groups, listeners and rules, kept on disk.
//!
//! Plain data and the rules AWS enforces between them. Nothing here listens, checks or forwards.

mod balancers;
mod groups;
mod rules;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::condition;
use super::health::Thresholds;
use super::matcher::Matcher;

/// Everything, by ARN. The region is in the ARN.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Model {
    pub(super) load_balancers: BTreeMap<String, LoadBalancer>,
    pub(super) groups: BTreeMap<String, TargetGroup>,
    pub(super) listeners: BTreeMap<String, Listener>,
    pub(super) rules: BTreeMap<String, Rule>,
}

/// Keys and values that a user hangs on a resource.
pub(super) type Tags = BTreeMap<String, String>;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LoadBalancer {
    pub(super) arn: String,
    pub(super) name: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created: OffsetDateTime,
    pub(super) spec: LoadBalancerSpec,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) tags: Tags,
}

/// What a load balancer is created with; repeated by describe calls, without effect here: the sandbox has one network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LoadBalancerSpec {
    pub(super) scheme: Option<String>,
    pub(super) subnets: Vec<String>,
    pub(super) security_groups: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct TargetGroup {
    pub(super) arn: String,
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) vpc: Option<String>,
    pub(super) health_check: HealthCheck,
    pub(super) attributes: BTreeMap<String, String>,
    /// A map on disk would need text keys.
    pub(super) targets: Vec<(Target, Registration)>,
    pub(super) tags: Tags,
}

/// One task's address in a target group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) ip: Ipv4Addr,
    pub(crate) port: u16,
}

/// Whether a target may get new requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Registration {
    Registered,
    /// Deregistered: requests in flight may finish until then.
    Draining {
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
}

/// How the targets of a group are checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HealthCheck {
    pub(crate) path: String,
    /// The target's own port when none is given ("traffic-port").
    pub(crate) port: Option<u16>,
    /// AWS allows 5 seconds and more, the sandbox any time above zero: rehearsals need not wait.
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) healthy_threshold: NonZeroU32,
    pub(crate) unhealthy_threshold: NonZeroU32,
    pub(crate) matcher: Matcher,
}

/// What a target group is created with by the sandbox's own services.
#[derive(Debug, Clone)]
pub(crate) struct TargetGroupSpec {
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) health_check: HealthCheck,
    /// How long a deregistered target stays `draining`.
    pub(crate) deregistration_delay: Duration,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Listener {
    pub(super) arn: String,
    pub(super) load_balancer: String,
    pub(super) port: u16,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) tags: Tags,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) arn: String,
    pub(super) listener: String,
    pub(super) priority: Priority,
    pub(super) conditions: Vec<condition::Condition>,
    pub(super) action: Action,
    pub(super) tags: Tags,
}

/// Lower numbers are tried first, a listener's default rule last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Priority {
    At(u32),
    Default,
}

/// What happens to a request that a rule applies to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Action {
    Forward(Forward),
    FixedResponse {
        status: u16,
        content_type: Option<String>,
        body: Option<String>,
    },
    Redirect(Redirect),
}

/// Target groups with their weights, 0 to 999, relative to their sum.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Forward {
    pub(super) groups: Vec<(String, u32)>,
    /// Set when clients are to stay with their target group, for so many seconds.
    pub(super) stickiness: Option<u32>,
}

/// Where a client is sent; `#{host}` and the like stand for the request's own part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Redirect {
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) port: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) status: u16,
}

impl Model {
    /// The tags of any of the four kinds of resource.
    pub(super) fn tags_mut(&mut self, arn: &str) -> Option<&mut Tags> {
        None.or_else(|| self.load_balancers.get_mut(arn).map(|resource| &mut resource.tags))
            .or_else(|| self.groups.get_mut(arn).map(|resource| &mut resource.tags))
            .or_else(|| self.listeners.get_mut(arn).map(|resource| &mut resource.tags))
            .or_else(|| self.rules.get_mut(arn).map(|resource| &mut resource.tags))
    }

    /// The same to look at.
    pub(super) fn tags(&self, arn: &str) -> Option<&Tags> {
        None.or_else(|| self.load_balancers.get(arn).map(|resource| &resource.tags))
            .or_else(|| self.groups.get(arn).map(|resource| &resource.tags))
            .or_else(|| self.listeners.get(arn).map(|resource| &resource.tags))
            .or_else(|| self.rules.get(arn).map(|resource| &resource.tags))
    }
}

impl Target {
    pub(crate) fn address(self) -> SocketAddrV4 {
        SocketAddrV4::new(self.ip, self.port)
    }
}

impl Default for HealthCheck {
    /// AWS's own (Elastic Load Balancing API Reference, `CreateTargetGroup`, for HTTP and `ip` targets).
    fn default() -> Self {
        Self {
            path: String::from("/"),
            port: None,
            interval: Duration::from_secs(30),
            timeout: Duration::from_secs(5),
            healthy_threshold: NonZeroU32::MIN.saturating_add(4),
            unhealthy_threshold: NonZeroU32::MIN.saturating_add(1),
            matcher: Matcher::default(),
        }
    }
}

impl HealthCheck {
    pub(super) fn thresholds(&self) -> Thresholds {
        Thresholds {
            healthy: self.healthy_threshold,
            unhealthy: self.unhealthy_threshold,
        }
    }
}

impl LoadBalancer {
    /// How long a connection may be idle; 60 seconds unless set.
    pub(super) fn idle_timeout(&self) -> Duration {
        let seconds = self
            .attributes
            .get(IDLE_TIMEOUT)
            .and_then(|seconds| seconds.parse().ok());
        seconds.map_or(DEFAULT_IDLE_TIMEOUT, Duration::from_secs)
    }
}

impl TargetGroup {
    /// How long a deregistered target drains; 300 seconds unless set.
    pub(super) fn deregistration_delay(&self) -> Duration {
        self.attributes
            .get(DEREGISTRATION_DELAY)
            .and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok())
            .unwrap_or(Duration::from_mins(5))
    }

    #[cfg(test)]
    pub(super) fn registration(&self, target: Target) -> Option<Registration> {
        self.targets
            .iter()
            .find(|(known, _)| *known == target)
            .map(|(_, registration)| *registration)
    }

    /// Targets that may get requests, if their health allows.
    pub(super) fn registered(&self) -> impl Iterator<Item = Target> {
        self.targets
            .iter()
            .filter(|(_, registration)| matches!(registration, Registration::Registered))
            .map(|(target, _)| *target)
    }
}

impl Action {
    /// The target groups this sends requests to.
    pub(super) fn groups(&self) -> &[(String, u32)] {
        match self {
            Self::Forward(forward) => &forward.groups,
            Self::FixedResponse { .. } | Self::Redirect(_) => &[],
        }
    }

    pub(super) fn forward(groups: &[(String, u32)]) -> Self {
        Self::Forward(Forward {
            groups: groups.to_vec(),
            stickiness: None,
        })
    }
}

/// AWS's own idle timeout.
pub(super) const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// The attribute that holds a load balancer's idle timeout.
pub(super) const IDLE_TIMEOUT: &str = "idle_timeout.timeout_seconds";

/// The attribute that holds the deregistration delay.
pub(super) const DEREGISTRATION_DELAY: &str = "deregistration_delay.timeout_seconds";

#[cfg(test)]
mod tests;

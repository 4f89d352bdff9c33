//! What a process of the service is told: addresses, limits, its release, its database.
//!
//! The database URL holds a password, so it comes from the environment only, never from a flag (a command line is
//! visible to every user of the machine), and is never printed.

mod database_url;
mod login_secret;

pub use database_url::{DatabaseUrl, MissingDatabaseUrl};

use std::{net::IpAddr, str::FromStr, time::Duration};

use crate::{attachment, secrets::Secrets, webhook};

/// Everything `serve` can be told, each by a flag or by an environment variable; the defaults suit one small task.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Address to listen on, for the API and for the metrics
    #[arg(long, env = "HOST", default_value = "0.0.0.0")]
    pub host: IpAddr,

    /// Port of the API; 0 takes any free one
    #[arg(long, env = "PORT", default_value_t = 3000)]
    pub port: u16,

    /// Port of `/metrics`; 0 takes any free one
    #[arg(long, env = "METRICS_PORT", default_value_t = 9000)]
    pub metrics_port: u16,

    /// Release that every response names in its `x-release` header
    #[arg(long, env = "RELEASE", default_value = env!("CARGO_PKG_VERSION"))]
    pub release: ReleaseName,

    /// Connections to PostgreSQL; times the number of tasks (twice that during a blue-green overlap) it must stay
    /// below `max_connections`, with one more per task for `/readyz`
    #[arg(long, env = "DATABASE_POOL", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub database_pool: u32,

    /// How long a request waits for one of these connections before it is answered with 503
    #[arg(long = "database-acquire-seconds", env = "DATABASE_ACQUIRE_SECONDS", value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub database_acquire: Duration,

    /// How long `serve` waits for an unreachable database before it gives up starting
    #[arg(long = "database-start-seconds", env = "DATABASE_START_SECONDS", value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub database_start: Duration,

    /// How long after SIGTERM `/readyz` says 503 while everything else is still served
    #[arg(long = "drain-seconds", env = "DRAIN_SECONDS", value_name = "SECONDS", default_value = "2", value_parser = seconds)]
    pub drain: Duration,

    /// How long requests in flight may take after the drain; drain and this together stay below the stop timeout of
    /// the task (30 s unless its definition says otherwise: Amazon ECS API Reference, `ContainerDefinition`)
    #[arg(long = "finish-seconds", env = "FINISH_SECONDS", value_name = "SECONDS", default_value = "20", value_parser = seconds)]
    pub finish: Duration,

    /// How long one request may take before it is answered with 503
    #[arg(long = "request-seconds", env = "REQUEST_SECONDS", value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub request: Duration,

    /// How long a client may take over its request headers
    #[arg(long = "header-seconds", env = "HEADER_SECONDS", value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub header: Duration,

    /// How long an idle connection is kept; above the load balancer's 60 s, or the balancer meets connections that
    /// were closed under it (Elastic Load Balancing, Application Load Balancers: connection idle timeout)
    #[arg(long = "idle-seconds", env = "IDLE_SECONDS", value_name = "SECONDS", default_value = "75", value_parser = seconds)]
    pub idle: Duration,

    /// Changes that one user may make in any minute, counted over all tasks
    #[arg(long, env = "WRITES_PER_MINUTE", default_value_t = 6000, value_parser = clap::value_parser!(u32).range(1..))]
    pub writes_per_minute: u32,

    /// Requests that one task of the service serves for one user in any minute, whatever they are
    #[arg(long, env = "REQUESTS_PER_MINUTE", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub requests_per_minute: u32,

    /// Requests without credentials that are good, logins among them, that one task serves in any minute for one network: an
    /// address of IPv4, or 64 bits of IPv6
    #[arg(long, env = "ANONYMOUS_PER_MINUTE", default_value_t = 6000, value_parser = clap::value_parser!(u32).range(1..))]
    pub anonymous_per_minute: u32,

    /// Streams of events that one user may have open at one task
    #[arg(long, env = "STREAMS_PER_USER", default_value = "20", value_parser = at_least_one)]
    pub streams_per_user: usize,

    /// Proxies of ours in front, each of which appends the address it saw to X-Forwarded-For; 0 believes none
    #[arg(long, env = "TRUSTED_PROXIES", default_value_t = 1)]
    pub trusted_proxies: u8,

    /// How long the audit trail is kept
    #[arg(long = "keep-events-days", env = "KEEP_EVENTS_DAYS", value_name = "DAYS", default_value = "400", value_parser = days)]
    pub keep_events: Duration,

    /// How long after its start a task of the service first clears away what had its time; after that, every hour
    #[arg(long = "first-upkeep-seconds", env = "FIRST_UPKEEP_SECONDS", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub first_upkeep: Duration,

    /// Connections served at a time, each an open file; on further ones health checks are answered, and everything else is
    /// answered 503. 10000 unless something else is said, or fewer where that many files cannot be opened
    #[arg(long, env = "MAX_CONNECTIONS", value_parser = at_least_one)]
    pub max_connections: Option<usize>,

    /// Where messages of webhooks may go.
    #[command(flatten)]
    pub webhooks: webhook::WebhookSettings,

    /// Where files of tasks are kept.
    #[command(flatten)]
    pub attachments: attachment::AttachmentSettings,

    /// What no command line may hold; none until somebody reads it.
    #[arg(skip)]
    pub secrets: Secrets,
}

/// A release name that fits into a response header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseName(String);

impl ReleaseName {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleaseName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = (1..=100).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
            .ok_or("a release is 1 to 100 visible ASCII characters without spaces")
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| "expected a number, at least 1".to_owned())
}

fn days(text: &str) -> Result<Duration, String> {
    text.parse::<u64>()
        .ok()
        .filter(|days| (1..=36_500).contains(days))
        .map(|days| Duration::from_hours(days * 24))
        .ok_or_else(|| "expected a number of days, 1 to 36500".to_owned())
}

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    text.parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| "expected a number of seconds, such as 2 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_decimal_and_not_negative() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for text in ["-1", "NaN", "two", "", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_release_must_fit_into_a_header() {
        assert!(ReleaseName::from_str("1.1.0-rc.1").is_ok());
        for text in ["", "1.1\n", "ein Name", "größer"] {
            assert!(ReleaseName::from_str(text).is_err(), "{text}");
        }
    }
}

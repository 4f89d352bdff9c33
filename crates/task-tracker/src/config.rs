//! What a process of the service is told: addresses, limits, its release, its database.
//!
//! The database URL holds a password, so it comes from the environment only, never from a flag (a command line is
//! visible to every user of the machine), and is never printed.

use std::{
    env, fmt, fs,
    net::IpAddr,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

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

    /// Proxies of ours in front, each of which appends the address it saw to X-Forwarded-For; 0 believes none
    #[arg(long, env = "TRUSTED_PROXIES", default_value_t = 1)]
    pub trusted_proxies: u8,

    /// How long the audit trail is kept
    #[arg(long = "keep-events-days", env = "KEEP_EVENTS_DAYS", value_name = "DAYS", default_value = "400", value_parser = days)]
    pub keep_events: Duration,

    /// How long after its start a task of the service first clears away what had its time; after that, every hour
    #[arg(long = "first-upkeep-seconds", env = "FIRST_UPKEEP_SECONDS", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub first_upkeep: Duration,

    /// Connections served at a time; further ones wait in the kernel's queue
    #[arg(long, env = "MAX_CONNECTIONS", default_value_t = 10_000)]
    pub max_connections: usize,

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

/// Where the database is and how to log in there.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: SecretString,
    /// Takes the place of the URL's host and port: a restored copy has another address, and the same logins.
    endpoint: Option<(String, u16)>,
    /// Where it was read, and may stand otherwise later on.
    file: Option<PathBuf>,
}

/// `DATABASE_URL` is absent or no PostgreSQL URL; the text never repeats the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MissingDatabaseUrl {
    /// The variable is not set, or is empty.
    #[error("DATABASE_URL is not set; give it as postgres://user:password@host:5432/database")]
    Absent,
    /// The variable is set to something else.
    #[error("DATABASE_URL is not a PostgreSQL URL; give it as postgres://user:password@host:5432/database")]
    Malformed,
    /// The file of `DATABASE_URL_FILE` cannot be read; its name and the reason are in the log.
    #[error(
        "the file that DATABASE_URL_FILE names cannot be read; give one that holds postgres://user:password@host:5432/database"
    )]
    Unreadable,
    /// The other variable is set to something that is no address.
    #[error("DATABASE_ENDPOINT is not an address; give it as host:port, or leave it out")]
    Endpoint,
}

impl DatabaseUrl {
    /// Reads the file of `DATABASE_URL_FILE`, or else `DATABASE_URL`; and `DATABASE_ENDPOINT` where a one-off task is to look at
    /// a restored copy.
    pub fn from_environment() -> Result<Self, MissingDatabaseUrl> {
        let url = match env::var_os("DATABASE_URL_FILE").filter(|file| !file.is_empty()) {
            Some(file) => Self::from_file(Path::new(&file))?,
            None => Self::parse(&env::var("DATABASE_URL").unwrap_or_default())?,
        };
        match env::var("DATABASE_ENDPOINT") {
            Ok(endpoint) if !endpoint.is_empty() => url.at(&endpoint),
            Ok(_) | Err(_) => Ok(url),
        }
    }

    /// Reads a file that holds the URL and nothing else but white space around it. The service reads it again and again, so
    /// that a new password needs no new start.
    pub fn from_file(file: &Path) -> Result<Self, MissingDatabaseUrl> {
        let text = fs::read_to_string(file).map_err(|cause| {
            tracing::error!(file = %file.display(), %cause, "could not read the database URL");
            MissingDatabaseUrl::Unreadable
        })?;
        Ok(Self {
            file: Some(file.to_owned()),
            ..Self::parse(text.trim())?
        })
    }

    /// Whether a change of it is noticed while the service runs.
    pub(crate) fn is_followed(&self) -> bool {
        self.file.is_some()
    }

    /// As it stands in its file by now; None when it is not from a file, or has not changed.
    pub(crate) fn changed(&self) -> Result<Option<Self>, MissingDatabaseUrl> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let now = Self::from_file(file)?;
        let is_new = now.url.expose_secret() != self.url.expose_secret();
        Ok(is_new.then(|| Self {
            endpoint: self.endpoint.clone(),
            ..now
        }))
    }

    /// The same database on another server.
    fn at(self, endpoint: &str) -> Result<Self, MissingDatabaseUrl> {
        let (host, port) = endpoint.rsplit_once(':').ok_or(MissingDatabaseUrl::Endpoint)?;
        let port = port.parse().map_err(|_| MissingDatabaseUrl::Endpoint)?;
        if host.is_empty() {
            return Err(MissingDatabaseUrl::Endpoint);
        }
        let endpoint = Some((host.to_owned(), port));
        Ok(Self { endpoint, ..self })
    }

    /// Takes a URL as it would stand in `DATABASE_URL`.
    pub fn parse(url: &str) -> Result<Self, MissingDatabaseUrl> {
        if url.is_empty() {
            return Err(MissingDatabaseUrl::Absent);
        }
        let scheme_fits = url.starts_with("postgres://") || url.starts_with("postgresql://");
        if !scheme_fits || PgConnectOptions::from_str(url).is_err() {
            return Err(MissingDatabaseUrl::Malformed);
        }
        Ok(Self {
            url: SecretString::from(url),
            endpoint: None,
            file: None,
        })
    }

    pub(crate) fn options(&self) -> Result<PgConnectOptions, MissingDatabaseUrl> {
        let options =
            PgConnectOptions::from_str(self.url.expose_secret()).map_err(|_| MissingDatabaseUrl::Malformed)?;
        Ok(match &self.endpoint {
            Some((host, port)) => options.host(host).port(*port),
            None => options,
        })
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DatabaseUrl(secret)")
    }
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
    fn a_copy_has_another_address_and_the_same_login() {
        let url = || DatabaseUrl::parse("postgres://app:hunter2@db:5432/tasks").unwrap();
        let copy = url().at("db-drill.example.com:6543").unwrap().options().unwrap();
        assert_eq!((copy.get_host(), copy.get_port()), ("db-drill.example.com", 6543));
        assert_eq!((copy.get_username(), copy.get_database()), ("app", Some("tasks")));
        for bad in ["db", ":5432", "db:http", "db:"] {
            assert!(url().at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_database_url_never_shows_itself() {
        let url = DatabaseUrl::parse("postgres://app:hunter2@db:5432/tasks").unwrap();
        assert_eq!(format!("{url:?}"), "DatabaseUrl(secret)");
    }

    #[test]
    fn a_bad_database_url_is_refused_without_being_repeated() {
        for (text, expected) in [
            ("", MissingDatabaseUrl::Absent),
            ("mysql://app:hunter2@db/tasks", MissingDatabaseUrl::Malformed),
            ("postgres://app:hunter2@db:port/tasks", MissingDatabaseUrl::Malformed),
        ] {
            let refusal = DatabaseUrl::parse(text).unwrap_err();
            assert_eq!(refusal, expected, "{text}");
            assert!(!refusal.to_string().contains("hunter2"));
        }
    }

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

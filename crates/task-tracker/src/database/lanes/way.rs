//! How a lane comes to PostgreSQL: address, login, session settings and TLS, all as sqlx's pool has them.

use std::{fs, io, sync::Arc, time::Duration};

use sqlx::{
    ConnectOptions,
    postgres::{PgConnectOptions, PgSslMode},
};
use tokio_postgres::{Config, config::SslMode};
use tokio_rustls::rustls::{self, ClientConfig, pki_types::pem};

use super::tls::{self, Check, Identity};

/// A connection that says nothing is asked for a sign of life after this, and given up when what was sent stays
/// unacknowledged for as long as `UNANSWERED`: nobody waits on a lane whose other end is gone.
const SILENT: Duration = Duration::from_secs(30);
const UNANSWERED: Duration = Duration::from_secs(10);

/// Everything that a new connection needs.
pub(crate) struct Way {
    pub(super) config: Config,
    /// None when the URL says not to.
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// The URL leads nowhere.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoWay {
    /// A file that it names cannot be read.
    #[error("could not read the file that `{parameter}` of the database URL names")]
    File {
        parameter: &'static str,
        #[source]
        cause: io::Error,
    },
    /// What it names is no certificate, or no key.
    #[error("could not read what `{parameter}` of the database URL names")]
    Pem {
        parameter: &'static str,
        #[source]
        cause: pem::Error,
    },
    /// Only one of the two.
    #[error("the database URL names one of `sslcert` and `sslkey`; give both or none")]
    HalfAnIdentity,
    /// Together they make no client.
    #[error("could not set up TLS to the database")]
    Tls(#[source] rustls::Error),
}

impl Way {
    pub(crate) fn of(options: &PgConnectOptions) -> Result<Self, NoWay> {
        let mut config = Config::new();
        config
            .port(options.get_port())
            .user(options.get_username())
            .application_name(options.get_application_name().unwrap_or_default())
            .options(format!(
                "-c DateStyle=ISO {}",
                options.get_options().unwrap_or_default()
            ))
            .keepalives_idle(SILENT)
            .tcp_user_timeout(UNANSWERED);
        match options.get_socket() {
            Some(folder) => config.host_path(folder),
            None => config.host(options.get_host()),
        };
        if let Some(database) = options.get_database() {
            config.dbname(database);
        }
        let hidden = Hidden::of(options);
        if let Some(password) = hidden.find("password") {
            config.password(password);
        }
        let (mode, check) = match options.get_ssl_mode() {
            PgSslMode::Disable | PgSslMode::Allow => (SslMode::Disable, None),
            PgSslMode::Prefer => (SslMode::Prefer, Some(Check::Nothing)),
            PgSslMode::Require => (SslMode::Require, Some(Check::Nothing)),
            PgSslMode::VerifyCa => (SslMode::Require, Some(Check::Issuer)),
            PgSslMode::VerifyFull => (SslMode::Require, Some(Check::IssuerAndName)),
        };
        let tls = check.map(|check| hidden.tls(check)).transpose()?;
        config.ssl_mode(mode);
        Ok(Self { config, tls })
    }
}

/// What sqlx's options do not tell one by one, wherever it came from: the URL, a variable of the environment, `.pgpass`.
struct Hidden(Vec<(String, String)>);

impl Hidden {
    fn of(options: &PgConnectOptions) -> Self {
        // The other parts are known, and not all that they may hold fits into a URL.
        let url = options
            .clone()
            .username("user")
            .host("host")
            .database("database")
            .to_url_lossy();
        let password = url.password().map(|encoded| {
            let decoded = url::form_urlencoded::parse(encoded.as_bytes()).next();
            (
                "password".to_owned(),
                decoded.map(|(text, _)| text.into_owned()).unwrap_or_default(),
            )
        });
        Self(password.into_iter().chain(url.query_pairs().into_owned()).collect())
    }

    fn find(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    fn tls(&self, check: Check) -> Result<Arc<ClientConfig>, NoWay> {
        let roots = self.pem("sslrootcert", tls::certificates)?.unwrap_or_default();
        let identity = match (self.pem("sslcert", tls::certificates)?, self.pem("sslkey", tls::key)?) {
            (Some(certificates), Some(key)) => Some(Identity { certificates, key }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(NoWay::HalfAnIdentity),
        };
        tls::client(check, roots, identity).map(Arc::new).map_err(NoWay::Tls)
    }

    /// sqlx takes a text, or a path, which it writes behind `file: `.
    fn pem<T>(
        &self,
        parameter: &'static str,
        read: impl FnOnce(&[u8]) -> Result<T, pem::Error>,
    ) -> Result<Option<T>, NoWay> {
        let Some(value) = self.find(parameter) else {
            return Ok(None);
        };
        let text = match value.strip_prefix("file: ") {
            Some(path) => fs::read(path).map_err(|cause| NoWay::File { parameter, cause })?,
            None => value.as_bytes().to_vec(),
        };
        read(&text).map(Some).map_err(|cause| NoWay::Pem { parameter, cause })
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use tokio_postgres::config::Host;

    use super::*;

    fn way(url: &str) -> Way {
        Way::of(&PgConnectOptions::from_str(url).unwrap()).unwrap()
    }

    #[test]
    fn a_lane_goes_where_the_url_leads() {
        let way = way(
            "postgres://us%2Fer:p%40ss%20w+rd%25@db.example.com:6543/ta%2Fsks?sslmode=disable&options=-c%20geqo%3Doff",
        );
        let config = &way.config;
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example.com".into())]);
        assert_eq!(config.get_ports(), [6543]);
        assert_eq!(config.get_user(), Some("us/er"));
        assert_eq!(config.get_password(), Some(&b"p@ss w+rd%"[..]));
        assert_eq!(config.get_ssl_mode(), SslMode::Disable);
        assert!(config.get_options().unwrap().contains("geqo=off"));
        assert!(way.tls.is_none());
    }

    #[test]
    fn a_socket_is_a_way_too() {
        let way = way("postgres://tasks@localhost/tasks?host=/var/run/postgresql&sslmode=disable");
        assert_eq!(way.config.get_hosts(), [Host::Unix("/var/run/postgresql".into())]);
    }

    #[test]
    fn encryption_is_as_the_url_says() {
        for (mode, expected, is_encrypted) in [
            ("disable", SslMode::Disable, false),
            ("allow", SslMode::Disable, false),
            ("prefer", SslMode::Prefer, true),
            ("require", SslMode::Require, true),
            ("verify-ca", SslMode::Require, true),
            ("verify-full", SslMode::Require, true),
        ] {
            let way = way(&format!("postgres://tasks@db/tasks?sslmode={mode}"));
            assert_eq!(
                (way.config.get_ssl_mode(), way.tls.is_some()),
                (expected, is_encrypted),
                "{mode}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_named_and_not_shown() {
        let refused = |query: &str| {
            let url = format!("postgres://tasks:hunter2@db/tasks?sslmode=verify-full&{query}");
            Way::of(&PgConnectOptions::from_str(&url).unwrap())
                .err()
                .unwrap()
                .to_string()
        };
        assert!(refused("sslrootcert=/nowhere/ca.pem").contains("`sslrootcert`"));
        let empty = tempfile::NamedTempFile::new().unwrap();
        let half = refused(&format!("sslcert={}", empty.path().display()));
        assert!(half.contains("`sslkey`") && !half.contains("hunter2"), "{half}");
    }
}

//! Where the database is and how to log in there: from AWS Secrets Manager, from a file, or from the environment.
//!
//! What is followed (a secret, a file) is read again while the service runs. The text never shows itself.

use std::{
    env, fmt, fs,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnectOptions;

use crate::{
    config::login_secret,
    secrets::{Held, Unheld},
};

/// Names the secret that holds the login.
const SECRET: &str = "DATABASE_SECRET_ARN";

/// Where the database is and how to log in there.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: SecretString,
    /// Takes the place of the URL's host and port: a restored copy has another address, and the same logins.
    endpoint: Option<Endpoint>,
    origin: Origin,
}

/// Host and port.
type Endpoint = (String, u16);

/// Where it was read, and may stand otherwise later on.
#[derive(Clone)]
enum Origin {
    Given,
    File(PathBuf),
    Secret(Held),
}

/// There is no login for the database; the text never repeats what was found instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MissingDatabaseUrl {
    /// No variable is set.
    #[error(
        "DATABASE_URL is not set; give it as postgres://user:password@host:5432/database, or name a secret in DATABASE_SECRET_ARN"
    )]
    Absent,
    /// The variable is set to something else.
    #[error("DATABASE_URL is not a PostgreSQL URL; give it as postgres://user:password@host:5432/database")]
    Malformed,
    /// The file of `DATABASE_URL_FILE` cannot be read; its name and the reason are in the log.
    #[error(
        "the file that DATABASE_URL_FILE names cannot be read; give one that holds postgres://user:password@host:5432/database"
    )]
    Unreadable,
    /// The secret cannot be read.
    #[error("the database's login is not to be had")]
    Secret(#[source] Unheld),
    /// The secret can be read and holds no login.
    #[error(
        "the secret that DATABASE_SECRET_ARN names holds no login; it must be postgres://user:password@host:5432/database, or JSON with \
         username, password, host and dbname, as Amazon RDS and rotations write it (DATABASE_ENDPOINT and PGDATABASE say what RDS leaves out)"
    )]
    SecretMalformed,
    /// The other variable is set to something that is no address.
    #[error("DATABASE_ENDPOINT is not an address; give it as host:port, or leave it out")]
    Endpoint,
}

impl DatabaseUrl {
    /// Reads the secret of `DATABASE_SECRET_ARN`, or else the file of `DATABASE_URL_FILE`, or else `DATABASE_URL`; and
    /// `DATABASE_ENDPOINT` where a one-off task is to look at a restored copy.
    pub async fn from_environment() -> Result<Self, MissingDatabaseUrl> {
        Self::read(|name| env::var(name).ok()).await
    }

    /// From variables that somebody else knows the values of.
    pub async fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, MissingDatabaseUrl> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let endpoint = variable("DATABASE_ENDPOINT")
            .map(|text| parse_endpoint(&text))
            .transpose()?;
        if let Some(held) = Held::named_by(SECRET, variable).map_err(MissingDatabaseUrl::Secret)? {
            return Self::from_secret(held, endpoint, Duration::ZERO).await;
        }
        let url = match variable("DATABASE_URL_FILE") {
            Some(file) => Self::from_file(Path::new(&file))?,
            None => Self::parse(&variable("DATABASE_URL").unwrap_or_default())?,
        };
        Ok(Self { endpoint, ..url })
    }

    /// Reads a file that holds the URL and nothing else but white space around it. The service reads it again and again, so
    /// that a new password needs no new start.
    pub fn from_file(file: &Path) -> Result<Self, MissingDatabaseUrl> {
        let text = fs::read_to_string(file).map_err(|cause| {
            tracing::error!(file = %file.display(), %cause, "could not read the database URL");
            MissingDatabaseUrl::Unreadable
        })?;
        Ok(Self {
            origin: Origin::File(file.to_owned()),
            ..Self::parse(text.trim())?
        })
    }

    /// What the secret holds, read at most so long ago.
    async fn from_secret(held: Held, endpoint: Option<Endpoint>, age: Duration) -> Result<Self, MissingDatabaseUrl> {
        let text = held.value(age).await.map_err(MissingDatabaseUrl::Secret)?;
        let url =
            login_secret::url(text.expose_secret(), endpoint.as_ref()).ok_or(MissingDatabaseUrl::SecretMalformed)?;
        let url = Self::parse(url.expose_secret()).map_err(|_| MissingDatabaseUrl::SecretMalformed)?;
        Ok(Self {
            endpoint,
            origin: Origin::Secret(held),
            ..url
        })
    }

    /// How it was come by, for people.
    pub(crate) fn came(&self) -> &'static str {
        match self.origin {
            Origin::Given => "read from the environment: a new password needs a new start",
            Origin::File(_) => "read from a file, and followed",
            Origin::Secret(_) => "read from Secrets Manager, and followed",
        }
    }

    /// As it stands by now, where that may be known for as long as `age` if asking is dear; None when it cannot change, or has
    /// not.
    pub(crate) async fn changed(&self, age: Duration) -> Result<Option<Self>, MissingDatabaseUrl> {
        let now = match &self.origin {
            Origin::Given => return Ok(None),
            Origin::File(file) => Self {
                endpoint: self.endpoint.clone(),
                ..Self::from_file(file)?
            },
            Origin::Secret(held) => Self::from_secret(held.clone(), self.endpoint.clone(), age).await?,
        };
        let is_new = now.url.expose_secret() != self.url.expose_secret();
        Ok(is_new.then_some(now))
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
            origin: Origin::Given,
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

fn parse_endpoint(text: &str) -> Result<Endpoint, MissingDatabaseUrl> {
    let (host, port) = text.rsplit_once(':').ok_or(MissingDatabaseUrl::Endpoint)?;
    let port = port.parse().map_err(|_| MissingDatabaseUrl::Endpoint)?;
    if host.is_empty() {
        return Err(MissingDatabaseUrl::Endpoint);
    }
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(variables: &[(&str, &str)]) -> Result<DatabaseUrl, MissingDatabaseUrl> {
        DatabaseUrl::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
        .await
    }

    #[tokio::test]
    async fn a_copy_has_another_address_and_the_same_login() {
        let url = ("DATABASE_URL", "postgres://app:hunter2@db:5432/tasks");
        let copy = read(&[url, ("DATABASE_ENDPOINT", "db-drill.example.com:6543")]).await;
        let copy = copy.unwrap().options().unwrap();
        assert_eq!((copy.get_host(), copy.get_port()), ("db-drill.example.com", 6543));
        assert_eq!((copy.get_username(), copy.get_database()), ("app", Some("tasks")));
        for bad in ["db", ":5432", "db:http", "db:"] {
            let refusal = read(&[url, ("DATABASE_ENDPOINT", bad)]).await.unwrap_err();
            assert_eq!(refusal, MissingDatabaseUrl::Endpoint, "{bad}");
        }
    }

    #[tokio::test]
    async fn what_names_no_secret_is_refused_before_anybody_is_asked() {
        let arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:tasks/url";
        let url = ("DATABASE_URL", "postgres://app:hunter2@db:5432/tasks");
        for (variables, expected) in [
            (
                &[(SECRET, "tasks/url"), url][..],
                "DATABASE_SECRET_ARN is not the ARN of a secret",
            ),
            (&[(SECRET, arn), url], "there are no AWS credentials"),
            (&[(SECRET, arn), ("AWS_ACCESS_KEY_ID", "a")], "go together"),
        ] {
            let Err(MissingDatabaseUrl::Secret(cause)) = read(variables).await else {
                panic!("{variables:?}");
            };
            assert!(cause.to_string().contains(expected), "{cause}");
        }
        // Nothing is what an empty variable says.
        assert!(read(&[(SECRET, ""), url]).await.is_ok());
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
}

//! A database's address, with its password, and connections to it.

use std::fmt;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use url::Url;

use crate::error::ExportError;

/// A network that drops what is sent to a private address never answers.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Where a database is and as whom to enter. Shows neither in its `Debug`.
#[derive(Clone)]
pub struct DatabaseUrl {
    url: Url,
    options: PgConnectOptions,
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl(…)")
    }
}

impl DatabaseUrl {
    /// From `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with what libpq knows as parameters, such as `sslmode`.
    pub fn parse(text: &str) -> Result<Self, ExportError> {
        let url: Url = text.parse().map_err(|_| ExportError::Url)?;
        let options: PgConnectOptions = text.parse().map_err(|_| ExportError::Url)?;
        if options.get_database().is_none() {
            return Err(ExportError::Url);
        }
        Ok(Self {
            url,
            options: options.application_name("tt-export"),
        })
    }

    /// The same server and login, another database.
    #[must_use]
    pub fn named(&self, database: &DatabaseName) -> Self {
        let mut url = self.url.clone();
        url.set_path(database.as_str());
        Self {
            url,
            options: self.options.clone().database(database.as_str()),
        }
    }

    pub(crate) fn database(&self) -> &str {
        self.options.get_database().unwrap_or_default()
    }

    /// What `pg_dump` is told, as variables: arguments are in everybody's process list.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("PGHOST", self.host()),
            ("PGPORT", self.options.get_port().to_string()),
            ("PGUSER", self.options.get_username().to_owned()),
            ("PGDATABASE", self.database().to_owned()),
        ];
        if let Some(password) = self.url.password() {
            variables.push(("PGPASSWORD", decoded(password)));
        }
        let parameters = [("sslmode", "PGSSLMODE"), ("sslrootcert", "PGSSLROOTCERT")];
        for (parameter, variable) in parameters {
            if let Some((_, value)) = self.url.query_pairs().find(|(name, _)| name == parameter) {
                variables.push((variable, value.into_owned()));
            }
        }
        variables
    }

    fn host(&self) -> String {
        match self.options.get_socket() {
            Some(folder) => folder.to_string_lossy().into_owned(),
            None => self.options.get_host().to_owned(),
        }
    }

    /// A connection on which every value has one text, whatever the server's settings are. Where the server can (PostgreSQL 14 Release
    /// Notes, "Server Configuration"), it ends the work of a client that was killed instead of finishing an index for nobody.
    pub(crate) async fn connect(&self) -> Result<PgConnection, ExportError> {
        let connecting = tokio::time::timeout(PATIENCE, PgConnection::connect_with(&self.options));
        let mut connection = connecting
            .await
            .map_err(|_elapsed| ExportError::Unreachable)?
            .map_err(ExportError::Connect)?;
        let settings = "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 1; \
                        SET bytea_output = 'hex'; SET row_security = off; SET statement_timeout = 0; SET lock_timeout = '30s'; \
                        SET idle_in_transaction_session_timeout = 0; \
                        SELECT set_config(name, '1s', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";
        run(&mut connection, settings).await.map_err(ExportError::Connect)?;
        Ok(connection)
    }
}

/// A database on a server: 1 to 63 letters, digits, `_` and `-`, beginning with a letter or `_`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseName(String);

/// Not the name of a database that this program would make.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be a database's name here: write 1 to 63 letters, digits, `_` or `-`, beginning with a letter or `_`"
)]
pub struct BadDatabaseName(String);

impl DatabaseName {
    /// PostgreSQL would cut a longer name short, and takes any character; whoever types the name later is spared the quoting.
    pub fn parse(text: &str) -> Result<Self, BadDatabaseName> {
        let begins = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        let fits = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        if begins && fits && text.len() <= 63 {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadDatabaseName(text.to_owned()))
        }
    }

    /// As it is typed.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As SQL needs it: no character that is allowed has to be doubled.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

impl fmt::Display for DatabaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for DatabaseName {
    type Err = BadDatabaseName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Runs statements that answer nothing.
pub(crate) async fn run(connection: &mut PgConnection, statements: &str) -> Result<(), sqlx::Error> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(statements.to_owned())))
        .await
        .map(drop)
}

fn decoded(text: &str) -> String {
    // A form decoder would take a plus sign for a space, so it is protected first.
    let protected = format!("v={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(protected.as_bytes())
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_name_that_needs_no_quoting_elsewhere_is_taken() {
        for good in ["a", "task_tracker", "_x", "Copy-2", &"a".repeat(63)] {
            assert!(DatabaseName::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "1a", "-a", "a b", "a\"b", "a;b", "ä", "a/b", &"a".repeat(64)] {
            assert!(DatabaseName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn another_database_of_the_same_server_has_the_same_login() {
        let url = DatabaseUrl::parse("postgres://app:secret@db.example:5433/app?sslmode=require").unwrap();
        let other = url.named(&DatabaseName::parse("copy").unwrap());
        assert_eq!(other.database(), "copy");
        let variables = other.variables();
        for (name, value) in [
            ("PGDATABASE", "copy"),
            ("PGPASSWORD", "secret"),
            ("PGSSLMODE", "require"),
        ] {
            assert!(variables.contains(&(name, value.to_owned())), "{name}");
        }
    }

    #[test]
    fn a_password_is_decoded_and_never_shown() {
        let url = DatabaseUrl::parse("postgres://app:a%2Fb+c%40d@db.example:5433/app?sslmode=require").unwrap();
        let variables = url.variables();
        for (name, value) in [
            ("PGHOST", "db.example"),
            ("PGPORT", "5433"),
            ("PGUSER", "app"),
            ("PGDATABASE", "app"),
            ("PGPASSWORD", "a/b+c@d"),
            ("PGSSLMODE", "require"),
        ] {
            assert!(variables.contains(&(name, value.to_owned())), "{name}");
        }
        assert_eq!(format!("{url:?}"), "DatabaseUrl(…)");
        let error = DatabaseUrl::parse("secret").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}

//! A database's address, with its password, and connections to it.

use std::fmt;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use url::Url;

use crate::error::ExportError;

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

    /// A connection on which every value has one text, whatever the server's settings are.
    pub(crate) async fn connect(&self) -> Result<PgConnection, ExportError> {
        let failed = || ExportError::database("connect to the database");
        let mut connection = PgConnection::connect_with(&self.options).await.map_err(failed())?;
        let settings = "SET datestyle = 'ISO'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 1; \
                        SET bytea_output = 'hex'; SET row_security = off; SET statement_timeout = 0; SET lock_timeout = '30s'; \
                        SET idle_in_transaction_session_timeout = 0";
        run(&mut connection, settings).await.map_err(failed())?;
        Ok(connection)
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

//! A login as secrets hold it: the URL itself, or JSON as Amazon RDS and AWS's rotation functions write it (AWS Secrets Manager
//! User Guide, "JSON structure of AWS Secrets Manager secrets").

use secrecy::SecretString;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::attachment::escaped;

/// What Amazon RDS manages by itself has a user name and a password only (Amazon RDS User Guide, "Password management with
/// Amazon RDS and AWS Secrets Manager").
#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
    host: Option<String>,
    /// A number, or a number in quotes: rotation functions differ.
    port: Option<Value>,
    dbname: Option<String>,
}

/// As a URL; None when it is no login, or says nothing of a host where nobody else knows one.
pub(super) fn url(text: &str, endpoint: Option<&(String, u16)>) -> Option<SecretString> {
    let text = text.trim();
    if !text.starts_with('{') {
        return Some(SecretString::from(text));
    }
    let login: Login = serde_json::from_str(text).ok()?;
    let host = login.host.as_deref().or(endpoint.map(|(host, _)| host.as_str()))?;
    let mut url = Url::parse("postgres://host").ok()?;
    url.set_host(Some(host)).ok()?;
    url.set_username(&escaped(&login.username)).ok()?;
    url.set_password(Some(&escaped(&login.password))).ok()?;
    let port = match login.port {
        None | Some(Value::Null) => None,
        Some(Value::String(port)) => Some(port.parse().ok()?),
        Some(port) => Some(u16::try_from(port.as_u64()?).ok()?),
    };
    url.set_port(port).ok()?;
    if let Some(name) = login.dbname {
        url.set_path(&escaped(&name));
    }
    Some(SecretString::from(String::from(url)))
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use serde_json::json;
    use sqlx::postgres::PgConnectOptions;

    use super::*;

    fn read(text: &str) -> Option<String> {
        let endpoint = ("db-1".to_owned(), 5432);
        url(text, Some(&endpoint)).map(|url| url.expose_secret().to_owned())
    }

    #[test]
    fn each_way_to_write_a_login_is_read() {
        for (text, expected) in [
            (
                "postgres://app:pw@db:1/tasks?sslmode=verify-full\n",
                Some("postgres://app:pw@db:1/tasks?sslmode=verify-full"),
            ),
            (
                r#"{"username":"app","password":"p@:/?#%w"}"#,
                Some("postgres://app:p%40%3A%2F%3F%23%25w@db-1"),
            ),
            (
                r#"{"engine":"postgres","username":"app","password":"pw","host":"db","port":6543,"dbname":"tasks","dbInstanceIdentifier":"x"}"#,
                Some("postgres://app:pw@db:6543/tasks"),
            ),
            (
                r#"{"username":"app","password":"pw","host":"db","port":"6543","dbname":"a/b"}"#,
                Some("postgres://app:pw@db:6543/a%2Fb"),
            ),
            (r#"{"username":"app","password":"pw","host":"db","port":70000}"#, None),
            (r#"{"username":"app","password":"pw","host":"a b"}"#, None),
            (r#"{"username":"app"}"#, None),
            ("{", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
        assert!(
            url(r#"{"username":"app","password":"pw"}"#, None).is_none(),
            "nobody knows the host"
        );
    }

    proptest! {
        /// Passwords that are made at random have every character; the URL in between must not lose one.
        #[test]
        fn any_password_comes_through(username in "\\PC{1,20}", password in "\\PC{1,60}", name in "[^/\\x00.]{1,20}") {
            let text = json!({ "username": username, "password": password, "host": "db", "dbname": name }).to_string();
            let options = PgConnectOptions::from_str(&read(&text).unwrap()).unwrap();
            prop_assert_eq!(options.get_username(), username);
            prop_assert_eq!(options.get_database(), Some(name.as_str()));
            let same = PgConnectOptions::from_str("postgres://db").unwrap().username(options.get_username())
                .database(&name).password(&password);
            prop_assert_eq!(format!("{options:?}"), format!("{same:?}"));
        }
    }
}

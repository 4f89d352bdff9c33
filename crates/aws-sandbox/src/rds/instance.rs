//! One database instance: what was asked for, and what is kept about it.

use std::collections::BTreeMap;

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::arn::is_identifier;
use super::error::RdsError;
use super::settings::Settings;
use super::status::Status;

/// What a client asks for. Not `Debug`, so that no log can show the password.
#[derive(Clone)]
pub(crate) struct InstanceSpec {
    pub(crate) identifier: String,
    /// A database to create beside `postgres`.
    pub(crate) db_name: Option<String>,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) port: u16,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What is kept about an instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) identifier: String,
    /// `db-…`, unique for ever; also the name of its folder.
    pub(crate) resource_id: String,
    /// The last part of its address.
    pub(crate) slot: u8,
    pub(crate) port: u16,
    pub(crate) db_name: Option<String>,
    pub(crate) username: String,
    #[serde(flatten)]
    pub(crate) settings: Settings,
    /// Changes that wait for somebody who applies them immediately.
    #[serde(default)]
    pub(crate) pending: Option<Settings>,
    pub(crate) engine_version: String,
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
    pub(crate) status: Status,
    /// The backup it was or is being made from.
    #[serde(default)]
    pub(crate) restored_from: Option<Restoration>,
}

/// A backup, and how far to follow the log after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restoration {
    /// The folder of the base backup.
    pub(crate) files: String,
    pub(crate) replay: Option<Replay>,
}

/// How far to follow a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Replay {
    /// The resource id of the instance that wrote it.
    pub(crate) log: String,
    /// Every transaction that committed up to here is there, and no other.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) until: OffsetDateTime,
}

impl InstanceSpec {
    /// An instance with AWS's defaults for everything a test seldom cares about.
    #[cfg(test)]
    pub(super) fn new(identifier: &str, db_name: &str, username: &str, password: &str) -> Self {
        Self {
            identifier: identifier.to_owned(),
            db_name: Some(db_name.to_owned()),
            username: username.to_owned(),
            password: password.to_owned(),
            port: 5432,
            settings: Settings::new("db.t4g.micro", 20),
            tags: BTreeMap::new(),
        }
    }

    /// Amazon RDS API Reference, `CreateDBInstance`, the rules for PostgreSQL.
    pub(super) fn check(&self) -> Result<(), RdsError> {
        check_identifier(&self.identifier)?;
        let letters = |text: &str, extra: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
        let begins = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic());
        let username = &self.username;
        let reserved = username.eq_ignore_ascii_case(super::postgres::ADMINISTRATOR)
            || username.to_ascii_lowercase().starts_with("pg_");
        if !begins(username) || username.len() > 63 || !letters(username, "_") || reserved {
            return Err(RdsError::Invalid(format!(
                "MasterUsername {username} is not a valid name or is reserved"
            )));
        }
        if let Some(name) = &self.db_name
            && (!begins(name) || name.len() > 63 || !letters(name, "_"))
        {
            return Err(RdsError::Invalid(format!(
                "DBName {name} must begin with a letter and have only letters, digits and underscores"
            )));
        }
        let password = &self.password;
        let printable = password
            .bytes()
            .all(|byte| (b'!'..=b'~').contains(&byte) && !b"/\"@".contains(&byte));
        if !(8..=128).contains(&password.len()) || !printable {
            let message = "MasterUserPassword must have 8 to 128 printable characters, without /, \", @ and space";
            return Err(RdsError::Invalid(message.to_owned()));
        }
        Ok(())
    }
}

/// Amazon RDS API Reference, `CreateDBInstance`, `DBInstanceIdentifier`.
pub(super) fn check_identifier(identifier: &str) -> Result<(), RdsError> {
    if is_identifier(identifier, 63) {
        return Ok(());
    }
    Err(RdsError::Invalid(format!(
        "DBInstanceIdentifier `{identifier}` must begin with a letter and have only letters, digits and single hyphens, at most 63"
    )))
}

impl Instance {
    /// A new one, without an address yet.
    pub(super) fn new(spec: &InstanceSpec, engine_version: String, created: OffsetDateTime) -> Self {
        Self {
            identifier: spec.identifier.clone(),
            resource_id: unique_id("db"),
            slot: 0,
            port: spec.port,
            db_name: spec.db_name.clone(),
            username: spec.username.clone(),
            settings: spec.settings.clone(),
            pending: None,
            engine_version,
            tags: spec.tags.clone(),
            created,
            status: Status::Creating,
            restored_from: None,
        }
    }
}

/// A prefix, then 26 capitals and digits, as AWS's resource ids.
pub(super) fn unique_id(prefix: &str) -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut random = rand::rng();
    let suffix = (0..26).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    format!("{prefix}-{}", suffix.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_would_hurt_are_refused() {
        let good = InstanceSpec::new("app-db", "app", "app", "correct-horse");
        assert!(good.check().is_ok());
        let wrong: [fn(&mut InstanceSpec); 10] = [
            |spec| spec.identifier = "../x".into(),
            |spec| spec.identifier = "a--b".into(),
            |spec| spec.identifier = "1a".into(),
            |spec| spec.username = "app\"; DROP".into(),
            |spec| spec.username = "rdsadmin".into(),
            |spec| spec.username = "pg_monitor".into(),
            |spec| spec.db_name = Some("a-b".into()),
            |spec| spec.password = "short".into(),
            |spec| spec.password = "with space in it".into(),
            |spec| spec.password = "line\nbreak-in-it".into(),
        ];
        for (at, spoil) in wrong.into_iter().enumerate() {
            let mut spec = good.clone();
            spoil(&mut spec);
            assert!(matches!(spec.check(), Err(RdsError::Invalid(_))), "number {at}");
        }
    }

    #[test]
    fn an_instance_of_an_earlier_version_is_still_read() {
        let text = r#"{"identifier":"app","resource_id":"db-X","slot":1,"port":5432,"db_name":null,"username":"app","class":"db.t4g.micro",
            "allocated_gigabytes":20,"engine_version":"15.1","tags":{},"created":"2026-01-31T00:00:00Z","status":"Available"}"#;
        let instance: Instance = serde_json::from_str(text).unwrap();
        assert_eq!(instance.settings, Settings::new("db.t4g.micro", 20));
        let again: Instance = serde_json::from_str(&serde_json::to_string(&instance).unwrap()).unwrap();
        assert_eq!(again.settings, instance.settings);
    }
}

//! One database instance: what was asked for, what is kept about it, and the states it passes through.

use std::collections::BTreeMap;

use rand::Rng as _;
use rand::distr::Uniform;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::error::RdsError;

/// What a client asks for. Not `Debug`, so that no log can show the password.
#[derive(Clone)]
pub(crate) struct InstanceSpec {
    pub(crate) identifier: String,
    /// A database to create beside `postgres`.
    pub(crate) db_name: Option<String>,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) port: u16,
    pub(crate) class: String,
    pub(crate) allocated_gigabytes: u32,
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
    pub(crate) class: String,
    pub(crate) allocated_gigabytes: u32,
    pub(crate) engine_version: String,
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
    pub(crate) status: Status,
}

/// Amazon RDS User Guide, "Viewing Amazon RDS DB instance status".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Status {
    Creating,
    Available,
    Starting,
    Stopping,
    Stopped,
    Deleting,
    Failed { reason: String },
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
            class: "db.t4g.micro".to_owned(),
            allocated_gigabytes: 20,
            tags: BTreeMap::new(),
        }
    }

    /// Amazon RDS API Reference, `CreateDBInstance`, the rules for PostgreSQL.
    pub(super) fn check(&self) -> Result<(), RdsError> {
        let identifier = &self.identifier;
        let letters = |text: &str, extra: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
        let begins = |text: &str| text.starts_with(|first: char| first.is_ascii_alphabetic());
        if !begins(identifier)
            || identifier.len() > 63
            || !letters(identifier, "-")
            || identifier.ends_with('-')
            || identifier.contains("--")
        {
            let message = format!(
                "DBInstanceIdentifier `{identifier}` must begin with a letter and have only letters, digits and single hyphens, at most 63"
            );
            return Err(RdsError::Invalid(message));
        }
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

impl Instance {
    pub(super) fn new(spec: &InstanceSpec, slot: u8, engine_version: String, created: OffsetDateTime) -> Self {
        Self {
            identifier: spec.identifier.clone(),
            resource_id: format!("db-{}", resource_suffix()),
            slot,
            port: spec.port,
            db_name: spec.db_name.clone(),
            username: spec.username.clone(),
            class: spec.class.clone(),
            allocated_gigabytes: spec.allocated_gigabytes,
            engine_version,
            tags: spec.tags.clone(),
            created,
            status: Status::Creating,
        }
    }
}

/// 26 capitals and digits, as AWS's.
fn resource_suffix() -> String {
    const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let Ok(positions) = Uniform::new(0, ALPHABET.len()) else {
        return String::new();
    };
    rand::rng()
        .sample_iter(positions)
        .take(26)
        .map(|at| char::from(ALPHABET[at]))
        .collect()
}

impl Status {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Available => "available",
            Self::Starting => "starting",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Deleting => "deleting",
            Self::Failed { .. } => "failed",
        }
    }

    /// Whether a restarted sandbox takes the instance up again.
    pub(super) fn survives_restart(&self) -> bool {
        match self {
            Self::Available | Self::Starting | Self::Stopping | Self::Stopped => true,
            Self::Creating | Self::Deleting | Self::Failed { .. } => false,
        }
    }
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
}

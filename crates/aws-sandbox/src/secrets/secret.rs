//! One secret: its versions, the stages that point at them, and how it is referred to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub(crate) const CURRENT: &str = "AWSCURRENT";
pub(crate) const PREVIOUS: &str = "AWSPREVIOUS";

/// Not `Debug`, so that no log can show its values.
#[derive(Serialize, Deserialize)]
pub(crate) struct Secret {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) description: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) changed: OffsetDateTime,
    /// When it was marked for deletion.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) deletion: Option<OffsetDateTime>,
    pub(crate) versions: Vec<Version>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) stages: BTreeSet<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created: OffsetDateTime,
    pub(crate) value: Value,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Value {
    Text(String),
    /// In base64, as it travels.
    Binary(String),
}

impl Secret {
    pub(crate) fn new(name: &str, arn: String) -> Self {
        let now = OffsetDateTime::now_utc();
        Self {
            name: name.to_owned(),
            arn,
            description: None,
            tags: BTreeMap::new(),
            created: now,
            changed: now,
            deletion: None,
            versions: Vec::new(),
        }
    }

    pub(crate) fn current(&self) -> Option<&Version> {
        self.version(None, None)
    }

    /// By id, by stage, by both (which must agree), or the current one.
    pub(crate) fn version(&self, id: Option<&str>, stage: Option<&str>) -> Option<&Version> {
        let stage = if id.is_none() { stage.or(Some(CURRENT)) } else { stage };
        self.versions.iter().find(|version| {
            id.is_none_or(|id| version.id == id) && stage.is_none_or(|stage| version.stages.contains(stage))
        })
    }

    /// Adds a version and moves `stages` to it; without any, the current one, whose old holder becomes the previous (AWS Secrets Manager API Reference, `PutSecretValue`).
    pub(crate) fn put(&mut self, id: String, value: Value, stages: &[String]) {
        let now = OffsetDateTime::now_utc();
        let stages: BTreeSet<String> = if stages.is_empty() {
            [CURRENT.to_owned()].into()
        } else {
            stages.iter().cloned().collect()
        };
        if stages.contains(CURRENT) {
            for version in &mut self.versions {
                version.stages.remove(PREVIOUS);
                if version.stages.remove(CURRENT) {
                    version.stages.insert(PREVIOUS.to_owned());
                }
            }
        }
        for version in &mut self.versions {
            version.stages.retain(|stage| !stages.contains(stage));
        }
        self.versions.retain(|version| !version.stages.is_empty());
        self.versions.push(Version {
            id,
            stages,
            created: now,
            value,
        });
        self.changed = now;
    }
}

/// By name, by ARN, or by an ARN without its random suffix.
pub(crate) fn find<'a>(secrets: &'a BTreeMap<String, Secret>, id: &str) -> Option<&'a Secret> {
    secrets.get(name(secrets, id)?)
}

/// The name under which `find` finds it.
pub(crate) fn name<'a>(secrets: &'a BTreeMap<String, Secret>, id: &str) -> Option<&'a str> {
    let matches = |secret: &Secret| {
        secret.name == id || secret.arn == id || secret.arn.rsplit_once('-').is_some_and(|(stem, _)| stem == id)
    };
    secrets
        .values()
        .find(|secret| matches(secret))
        .map(|secret| secret.name.as_str())
}

/// What a task definition's `valueFrom` says (Amazon ECS Developer Guide, "Pass Secrets Manager secrets through environment variables").
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// Of an ARN.
    pub(crate) region: Option<&'a str>,
    /// Name or ARN.
    pub(crate) secret: &'a str,
    pub(crate) json_key: Option<&'a str>,
    pub(crate) stage: Option<&'a str>,
    pub(crate) version: Option<&'a str>,
}

impl<'a> Reference<'a> {
    pub(crate) fn parse(reference: &'a str) -> Self {
        let plain = Self {
            region: None,
            secret: reference,
            json_key: None,
            stage: None,
            version: None,
        };
        if !reference.starts_with("arn:") {
            return plain;
        }
        // arn:aws:secretsmanager:region:account:secret:name[:json-key:version-stage:version-id]
        let fields: Vec<&str> = reference.split(':').collect();
        let given = |at: usize| fields.get(at).copied().filter(|field| !field.is_empty());
        let arn_length = fields.iter().take(7).map(|field| field.len() + 1).sum::<usize>() - 1;
        Self {
            region: given(3),
            secret: reference.get(..arn_length).unwrap_or(reference),
            json_key: given(7),
            stage: given(8),
            version: given(9),
        }
    }
}

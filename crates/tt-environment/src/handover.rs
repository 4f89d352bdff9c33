//! What Terraform made, held against what an environment's file says. Both name the same things, and nothing but this
//! comparison keeps them from drifting apart.
//!
//! Reads two files and asks nobody: whether the things exist is for `tt-ops verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde_json::Value;

use crate::locate::{Part, Position, locate};
use crate::node::Node;
use crate::{Environment, LoadError};

/// The output of the Terraform roots that repeats the keys of an environment.
const OUTPUT: &str = "tt_ops";

/// What Terraform says that an environment must say: dotted key → value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terraform(BTreeMap<String, String>);

/// Why a file is not what Terraform says.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// It cannot be read.
    #[error("could not read {}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It is not JSON.
    #[error("{} is not JSON; write it with `terraform output -json` or `terraform show -json PLAN`", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// It is JSON without the output.
    #[error(
        "{} has no output `{OUTPUT}`; write it in a root of infrastructure/terraform with `terraform output -json` or `terraform show -json PLAN`",
        file.display()
    )]
    NoOutput {
        /// The file.
        file: PathBuf,
    },
}

/// One key that the two say differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The environment's file.
    pub file: PathBuf,
    /// The line in it, from 1; where the key would belong when it is not there.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// The key, with dots between levels.
    pub key: String,
    /// What the file says, if anything.
    pub here: Option<String>,
    /// What Terraform says, if anything.
    pub there: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (file, line, column, key) = (self.file.display(), self.line, self.column, &self.key);
        write!(f, "{file}:{line}:{column}: `{key}` ")?;
        match (&self.here, &self.there) {
            (Some(here), Some(there)) => write!(f, "is {here} here and {there} in Terraform"),
            (Some(here), None) => write!(f, "is {here} here, and Terraform says nothing of it"),
            (None, Some(there)) => write!(f, "is not set here and {there} in Terraform"),
            (None, None) => write!(f, "is set nowhere"),
        }
    }
}

impl Terraform {
    /// Reads `terraform output -json`, or a plan as `terraform show -json` prints it.
    pub fn read(file: &Path) -> Result<Self, TerraformError> {
        let file = file.to_owned();
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(cause) => return Err(TerraformError::File { file, cause }),
        };
        let json: Value = match serde_json::from_str(&text) {
            Ok(json) => json,
            Err(cause) => return Err(TerraformError::Syntax { file, cause }),
        };
        let places = [
            &json[OUTPUT]["value"],
            &json["planned_values"]["outputs"][OUTPUT]["value"],
            // Where a part is only known after the apply, the plan has the rest here.
            &json["output_changes"][OUTPUT]["after"],
        ];
        let told = places.into_iter().find_map(Value::as_object);
        let Some(told) = told else {
            return Err(TerraformError::NoOutput { file });
        };
        Ok(Self(told.iter().flat_map(|(key, value)| flat(key, value)).collect()))
    }
}

/// Every key that the environment's file and Terraform say differently, in the order of the file.
pub fn differences(environment: &Environment, terraform: &Terraform) -> Result<Vec<Difference>, LoadError> {
    let text = fs::read_to_string(&environment.file).map_err(|cause| LoadError::File {
        file: environment.file.clone(),
        cause,
    })?;
    // The environment was loaded from it, so it is YAML; should it have changed since, places are all that is lost.
    let tree: Node = serde_yaml::from_str(&text).unwrap_or(Node::Null);
    let here = said(environment);
    let there = &terraform.0;
    let keys: BTreeSet<&String> = here.keys().chain(there.keys()).collect();
    let mut differences: Vec<Difference> = keys
        .into_iter()
        .filter(|key| here.get(*key) != there.get(*key))
        .map(|key| {
            let place = place(&text, &tree, key);
            Difference {
                file: environment.file.clone(),
                line: place.line,
                column: place.column,
                key: key.clone(),
                here: here.get(key).cloned(),
                there: there.get(key).cloned(),
            }
        })
        .collect();
    differences.sort_by_key(|difference| (difference.line, difference.column));
    Ok(differences)
}

/// What the environment says of the things that Terraform makes.
fn said(environment: &Environment) -> BTreeMap<String, String> {
    let service = &environment.service;
    let url = environment.smoke_test.base_url.as_ref();
    let always = [
        ("aws.account", environment.aws.account.to_string()),
        ("aws.region", environment.aws.region.to_string()),
        ("service.cluster", service.cluster.to_string()),
        ("service.name", service.name.to_string()),
        ("service.container", service.container.to_string()),
        ("service.minimum_tasks", service.minimum_tasks.to_string()),
        ("alarms", list(environment.alarms.iter().map(ToString::to_string))),
        ("records.bucket", environment.records.bucket.to_string()),
    ];
    let sometimes = [
        (
            "image.credentials",
            environment.image.credentials.as_ref().map(ToString::to_string),
        ),
        (
            "smoke_test.base_url",
            url.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        ),
        (
            "database.instance",
            environment
                .database
                .as_ref()
                .map(|database| database.instance.to_string()),
        ),
    ];
    let secrets = environment
        .secrets
        .iter()
        .map(|(variable, secret)| (format!("secrets.{variable}"), secret.to_string()));
    always
        .into_iter()
        .chain(sometimes.into_iter().filter_map(|(key, value)| Some((key, value?))))
        .map(|(key, value)| (key.to_owned(), value))
        .chain(secrets)
        .chain(backups(environment))
        .collect()
}

/// How long backups are kept, and where their copies go.
fn backups(environment: &Environment) -> Vec<(String, String)> {
    let policy = environment
        .database
        .as_ref()
        .and_then(|database| database.backup.as_ref());
    let Some(policy) = policy else { return Vec::new() };
    let copy = policy.copy.as_ref();
    let said = [
        ("retention", Some(format!("{}d", policy.retention_days))),
        ("copy.region", copy.map(|copy| copy.region.to_string())),
        (
            "copy.kms_key",
            copy.and_then(|copy| copy.kms_key.as_ref()).map(ToString::to_string),
        ),
    ];
    said.into_iter()
        .filter_map(|(key, value)| Some((format!("database.backup.{key}"), value?)))
        .collect()
}

/// A value as keys and texts: a mapping's entries have keys of their own, a list is one text whatever its order.
fn flat(key: &str, value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Null => Vec::new(),
        Value::Object(entries) => entries
            .iter()
            .map(|(entry, value)| (format!("{key}.{entry}"), text(value)))
            .collect(),
        Value::Array(items) => vec![(key.to_owned(), list(items.iter().map(text)))],
        Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![(key.to_owned(), text(value))],
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    items.sort();
    items.join(", ")
}

/// The value, or the nearest thing above it that is there.
fn place(text: &str, tree: &Node, key: &str) -> Position {
    let indices = tree.indices(key);
    if indices.is_empty() {
        return Position::START;
    }
    // A reference to a secret is a mapping of one entry; the secret's name is what differs.
    let inner = tree.indices(&format!("{key}.secret"));
    locate(
        text,
        if inner.len() > indices.len() { &inner } else { &indices },
        Part::Value,
    )
}

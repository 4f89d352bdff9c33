//! The tags by which tt-ops knows what it made. It deletes nothing that does not carry them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_environment::EnvironmentName;

const ENVIRONMENT: &str = "tt-ops:environment";
const PURPOSE: &str = "tt-ops:purpose";
const TESTED: &str = "tt-ops:tested";
const RUN: &str = "tt-ops:run";

/// What an instance or a snapshot of ours was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// By which environment.
    pub environment: EnvironmentName,
    /// What for.
    pub purpose: Purpose,
    /// When a drill last restored it and found everything in order.
    #[serde(
        with = "time::serde::rfc3339::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub tested: Option<OffsetDateTime>,
    /// Which run made it, where another one could be making something of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
}

/// Tells one run of tt-ops from every other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Of the process `process` that looked at `at`: two machines would have to do so in the same nanosecond.
    pub fn new(at: OffsetDateTime, process: u32) -> Self {
        Self(format!("{:x}-{process}", at.unix_timestamp_nanos()))
    }
}

/// What something was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// A snapshot to keep.
    Backup,
    /// A restored instance that a person asked for and keeps.
    Restore,
    /// A restored instance that goes again after the drill.
    Drill,
    /// A restored instance that goes again after the rehearsal.
    Rehearsal,
}

impl Purpose {
    /// All.
    const ALL: [Self; 4] = [Self::Backup, Self::Restore, Self::Drill, Self::Rehearsal];

    /// As it stands in the tag.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Restore => "restore",
            Self::Drill => "drill",
            Self::Rehearsal => "rehearsal",
        }
    }

    /// Whether an instance made for it is left over once nobody works on it any more.
    pub(crate) fn passes(self) -> bool {
        match self {
            Self::Drill | Self::Rehearsal => true,
            Self::Backup | Self::Restore => false,
        }
    }
}

impl Mark {
    /// A fresh one.
    pub fn new(environment: &EnvironmentName, purpose: Purpose) -> Self {
        Self {
            environment: environment.clone(),
            purpose,
            tested: None,
            run: None,
        }
    }

    /// The same, of this run and no other.
    #[must_use]
    pub fn of_run(self, run: &RunId) -> Self {
        Self {
            run: Some(run.clone()),
            ..self
        }
    }

    /// As tags.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::from([
            (ENVIRONMENT.to_owned(), self.environment.to_string()),
            (PURPOSE.to_owned(), self.purpose.name().to_owned()),
        ]);
        if let Some(tested) = self.tested.and_then(|at| at.format(&Rfc3339).ok()) {
            tags.insert(TESTED.to_owned(), tested);
        }
        if let Some(RunId(run)) = &self.run {
            tags.insert(RUN.to_owned(), run.clone());
        }
        tags
    }

    /// From tags; nothing unless both the environment and the purpose are there and mean something.
    pub fn of(tags: &BTreeMap<String, String>) -> Option<Self> {
        let purpose = tags.get(PURPOSE)?;
        Some(Self {
            environment: EnvironmentName::parse(tags.get(ENVIRONMENT)?).ok()?,
            purpose: Purpose::ALL.into_iter().find(|known| known.name() == purpose)?,
            tested: tags
                .get(TESTED)
                .and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok()),
            run: tags.get(RUN).cloned().map(RunId),
        })
    }
}

//! A plan and its steps: plain data that says everything the executor has to know.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use tt_environment::{ContainerName, Minutes, SecretName, Strategy};

use crate::{
    fingerprint::Fingerprint,
    observed::{Arn, LifecycleStage},
    record::Command,
    release::{PinnedImage, Release},
    share::Share,
};

/// What to do, in order, and the state of the world that it was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What kind of run this is.
    pub command: Command,
    /// The release users end up with, in people's words.
    pub brings: String,
    /// Its image; unknown for a rollback to a task definition that was not deployed by digest.
    pub image: Option<PinnedImage>,
    /// The commit it was built from, when known.
    pub commit: Option<String>,
    /// The release users have before the first step, in people's words.
    pub replaces: String,
    /// The task definition users have before the first step.
    pub previous: Arn,
    /// The task definition that brings the release, when it is registered already.
    pub task_definition: Option<Arn>,
    /// The deployment in flight that the plan goes on from.
    pub resumes: Option<Arn>,
    /// The steps; none when users already have the release.
    pub steps: Vec<Step>,
    /// The executor refuses to start when the world no longer has it.
    pub fingerprint: Fingerprint,
}

/// One thing the executor does. Every step is safe to repeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Register a task definition: the live one with another image.
    Register {
        /// The task definition to copy.
        base: Arn,
        /// The container whose image changes.
        container: ContainerName,
        /// What to put there.
        release: Release,
        /// The container's secrets: environment variable → name in Secrets Manager.
        secrets: BTreeMap<String, SecretName>,
    },
    /// Run the release's migrations as a one-off task of the new revision.
    Migrate {
        /// Arguments to the image's entry point.
        command: Vec<String>,
        /// How long it may take.
        #[serde(with = "seconds")]
        timeout: Duration,
    },
    /// Start the service deployment.
    Start {
        /// How traffic is to move.
        strategy: Strategy,
        /// How long both revisions stay afterwards.
        bake: Minutes,
        /// Where ECS is to wait for our word.
        pauses: Vec<LifecycleStage>,
        /// How long it waits before it rolls back.
        decision_timeout: Minutes,
        /// Whether the number of tasks changes too.
        desired: Desired,
    },
    /// Follow the deployment that is already under way.
    Attach {
        /// The service deployment's ARN.
        deployment: Arn,
    },
    /// Ask the new tasks through the test listener, then let ECS go on.
    SmokeTest,
    /// Let ECS give the new revision this share of production requests.
    Shift {
        /// The share after the step.
        to: Share,
    },
    /// Compare what the new revision does with the limits, at this share of traffic.
    Analyse {
        /// The share it has.
        at: Share,
    },
    /// Keep both revisions while the new one has all traffic, and go on analysing.
    Bake {
        /// AWS minutes.
        minutes: Minutes,
    },
    /// Wait until ECS has ended the old tasks and says SUCCESSFUL.
    Complete,
    /// Tell ECS to take the deployment back: weights first, tasks later.
    Revert {
        /// The service deployment's ARN.
        deployment: Arn,
    },
    /// Start a deployment of an earlier task definition without pauses and without a bake.
    Relaunch {
        /// The task definition to go back to.
        task_definition: Arn,
        /// What people call it.
        release: String,
        /// Whether the number of tasks changes too.
        desired: Desired,
    },
    /// Wait until users are on the target of a rollback.
    AwaitReturn,
}

/// What a deployment does to the service's desired count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Desired {
    /// Autoscaling owns it; it is not sent.
    Unchanged,
    /// The service has fewer tasks than the environment's minimum.
    RaiseTo(u32),
}

impl Step {
    /// One word for logs, records and tables; the same one everywhere.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Register { .. } => "register",
            Self::Migrate { .. } => "migrate",
            Self::Start { .. } => "start",
            Self::Attach { .. } => "attach",
            Self::SmokeTest => "smoke-test",
            Self::Shift { .. } => "shift",
            Self::Analyse { .. } => "analyse",
            Self::Bake { .. } => "bake",
            Self::Complete => "complete",
            Self::Revert { .. } => "revert",
            Self::Relaunch { .. } => "relaunch",
            Self::AwaitReturn => "await-return",
        }
    }
}

/// Durations as whole seconds on the wire.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(duration.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

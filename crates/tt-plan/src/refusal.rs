//! Why a plan is not made. Each refusal names what is wrong and what to do next; nothing has been changed when one is given.

use std::fmt;

use thiserror::Error;
use time::OffsetDateTime;
use tt_environment::{AccountId, AlarmName, SecretName};

use crate::{
    database::DatabaseRefusal,
    observed::{Arn, LifecycleStage},
};

/// One reason not to act.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The credentials are another account's.
    #[error("the credentials belong to account {actual}, the environment names account {expected}")]
    WrongAccount {
        /// From the environment.
        expected: AccountId,
        /// From STS.
        actual: AccountId,
    },
    /// A tag where the environment wants a digest.
    #[error("image `{image}` was given by tag, this environment takes digests only")]
    NotPinned {
        /// As given.
        image: String,
    },
    /// Another release is on its way.
    #[error("another release is in flight: {release}{}", at(*stage))]
    InFlight {
        /// Its name.
        release: String,
        /// Where it is.
        stage: Option<LifecycleStage>,
    },
    /// The same release is being taken back right now.
    #[error("release {release} is being taken back right now: {reason}")]
    BeingTakenBack {
        /// Its name.
        release: String,
        /// ECS's words.
        reason: String,
    },
    /// An alarm fires before anything was changed.
    #[error("alarm `{alarm}` is already firing: {reason}")]
    AlarmFiring {
        /// Its name.
        alarm: AlarmName,
        /// CloudWatch's words.
        reason: String,
    },
    /// An alarm the environment relies on does not exist.
    #[error("alarm `{alarm}` does not exist")]
    AlarmMissing {
        /// Its name.
        alarm: AlarmName,
    },
    /// Within a freeze.
    #[error("deploys are frozen until {until}: {reason}")]
    Frozen {
        /// The freeze's end.
        until: OffsetDateTime,
        /// The environment's words.
        reason: String,
    },
    /// A secret the release would not start without.
    #[error("secret `{secret}` does not exist in Secrets Manager")]
    UnknownSecret {
        /// Its name.
        secret: SecretName,
    },
    /// A role that ECS would miss later.
    #[error("the service names no {role}")]
    MissingRole {
        /// Which.
        role: &'static str,
    },
    /// Stickiness overrides weights.
    #[error("listener rule {rule} is sticky, so clients would stay where they are whatever the weights say")]
    Sticky {
        /// The rule.
        rule: Arn,
    },
    /// The service cannot shift traffic.
    #[error("the service has no {what}, so ECS cannot move traffic between two revisions")]
    NotBlueGreen {
        /// What is missing.
        what: &'static str,
    },
    /// Somebody changed the service behind our back.
    #[error("the service runs {live}, the last deploy on record left {recorded}")]
    Drift {
        /// What runs.
        live: String,
        /// What was recorded.
        recorded: String,
    },
    /// Rollback: nothing on record to go back to.
    #[error("no earlier release is on record for this environment")]
    NothingToReturnTo,
    /// Rollback: the named release is not on record.
    #[error("release {release} was never deployed here with success")]
    NeverDeployed {
        /// As given.
        release: String,
        /// Releases on record, newest first.
        known: Vec<String>,
    },
    /// Rollback: the named release already serves.
    #[error("release {release} already serves all users")]
    AlreadyThere {
        /// As given.
        release: String,
    },
    /// Rollback: a release in flight has to be taken back before a third one can be chosen.
    #[error("release {in_flight} is in flight and can only be taken back to {back_to}, not to {wanted}")]
    TakeBackFirst {
        /// On its way.
        in_flight: String,
        /// What ECS would return to.
        back_to: String,
        /// As given.
        wanted: String,
    },
    /// Rollback: a contract migration has removed what the release needs.
    #[error("the schema has moved on since release {release}: {} removed what it needs", migrations.join(", "))]
    SchemaMovedOn {
        /// What was to be returned to.
        release: String,
        /// The migrations that stand in the way, oldest first.
        migrations: Vec<String>,
    },
    /// Contract migrations while somebody may still need what they remove.
    #[error("releases that may need what a contract migration removes are still in service: {}", in_service.join(", "))]
    StillInService {
        /// What runs, in words.
        in_service: Vec<String>,
    },
    /// Contract migrations that are newer than the release in use.
    #[error("release {release}, which users have, needs what {} would remove", migrations.join(", "))]
    ContractAhead {
        /// The release in use.
        release: String,
        /// The migrations, in order.
        migrations: Vec<String>,
    },
    /// Contract migrations, and no record says whether the release in use can do without what they remove.
    #[error("no record says which schemas release {release} works with, so nothing may be removed beneath it")]
    SchemaUnknown {
        /// The release in use.
        release: String,
    },
    /// A migration downwards, below what the release in use needs.
    #[error("release {release} needs schema {needs}, so the schema cannot go back to {to}")]
    SchemaStillNeeded {
        /// The release in use.
        release: String,
        /// What it needs.
        needs: i64,
        /// As asked.
        to: i64,
    },
    /// The environment wants migrations rehearsed, and these were not.
    #[error("the migrations of {image} have not run on a restored copy, and this environment wants that first")]
    NotRehearsed {
        /// The image.
        image: String,
    },
    /// About the database's backups.
    #[error(transparent)]
    Database(#[from] DatabaseRefusal),
}

impl Refusal {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::WrongAccount { .. } => {
                "use credentials of that account (AWS_PROFILE, the CI role), or correct `aws.account`".to_owned()
            }
            Self::NotPinned { .. } => "pass REPOSITORY@sha256:…; the build job prints it after the push".to_owned(),
            Self::InFlight { .. } => {
                "follow it with `status --watch`, or take it back with `rollback`, then deploy again".to_owned()
            }
            Self::BeingTakenBack { .. } => {
                "wait until `status` says it has ended, find out why, then deploy again".to_owned()
            }
            Self::AlarmFiring { .. } => {
                "ECS ignores alarms that fire before a deployment starts; make it quiet first".to_owned()
            }
            Self::AlarmMissing { .. } => {
                "create it (Terraform module `observability`), or take it out of `alarms`".to_owned()
            }
            Self::Frozen { .. } => {
                "wait, or shorten `freeze` in the environment file and have that reviewed; `rollback` is never frozen"
                    .to_owned()
            }
            Self::UnknownSecret { .. } => {
                "create it in this account and region, or correct `secrets` in the environment file".to_owned()
            }
            Self::MissingRole { .. } => {
                "set it on the service or its task definition (Terraform module `service`)".to_owned()
            }
            Self::Sticky { .. } => "switch off target group stickiness on that rule".to_owned(),
            Self::NotBlueGreen { .. } => {
                "give the service an alternate target group and a production listener rule (Terraform module `service`)"
                    .to_owned()
            }
            Self::Drift { .. } => "look at `diff`; if what runs is right, deploy with --adopt".to_owned(),
            Self::NothingToReturnTo => "deploy a release that is known to be good with `deploy`".to_owned(),
            Self::NeverDeployed { known, .. } if known.is_empty() => {
                "no release is on record; see `history`".to_owned()
            }
            Self::NeverDeployed { known, .. } => format!("on record: {}", known.join(", ")),
            Self::AlreadyThere { .. } => "see `status`".to_owned(),
            Self::TakeBackFirst { .. } => "run `rollback` without --to first".to_owned(),
            Self::SchemaMovedOn { .. } => {
                "deploy a release that works with the schema as it is, or take those migrations back with `db-rollback` first"
                    .to_owned()
            }
            Self::StillInService { .. } => {
                "wait until `status` says that nothing is in flight and only the live release runs, then run it again"
                    .to_owned()
            }
            Self::ContractAhead { .. } => {
                "deploy the release that these migrations came with first, let it bake, and contract then".to_owned()
            }
            Self::SchemaUnknown { .. } => {
                "run it with `--image` of that release, which carries its own migrations and knows".to_owned()
            }
            Self::SchemaStillNeeded { .. } => {
                "roll the release back first; usually the expanded schema may simply stay".to_owned()
            }
            Self::NotRehearsed { .. } => {
                "run `db-migrate ENV --image REF --rehearse latest` with the same image, then deploy".to_owned()
            }
            Self::Database(refusal) => refusal.hint(),
        }
    }
}

/// At least one refusal; all of them at once, so that nobody has to find them one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// All of `refusals`, or nothing to refuse.
    pub fn none_or(refusals: Vec<Refusal>) -> Result<(), Self> {
        if refusals.is_empty() {
            Ok(())
        } else {
            Err(Self(refusals))
        }
    }

    /// Each.
    pub fn iter(&self) -> impl Iterator<Item = &Refusal> {
        self.0.iter()
    }
}

impl From<Refusal> for Refusals {
    fn from(refusal: Refusal) -> Self {
        Self(vec![refusal])
    }
}

impl From<DatabaseRefusal> for Refusals {
    fn from(refusal: DatabaseRefusal) -> Self {
        Self(vec![refusal.into()])
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, refusal) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{refusal}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusals {}

fn at(stage: Option<LifecycleStage>) -> String {
    stage
        .map(|stage| format!(" (at {})", stage.ecs_name()))
        .unwrap_or_default()
}

//! Migrations apart from a deploy: what is to run, with which image, and what speaks against it.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use tt_environment::Environment;

use crate::{
    fingerprint::Fingerprint,
    observed::{Arn, Observed},
    preflight,
    record::{Command, SchemaChange},
    refusal::{Refusal, Refusals},
    release::Release,
    schema,
};

/// What is asked of the migrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "kebab-case")]
pub enum MigrationOrder {
    /// Say what is applied and what is pending; changes nothing.
    Status,
    /// Say what each pending statement would lock; changes nothing.
    Plan {
        /// Of which phase; of expand and backfill when absent.
        phase: Option<Phase>,
    },
    /// Say whether anything is pending; changes nothing.
    Check,
    /// Run what is pending.
    Up {
        /// Of which phase; of expand and backfill when absent.
        phase: Option<Phase>,
    },
    /// Go on after a run that was killed.
    Resume,
    /// Say what taking back everything above a version would undo and lose; changes nothing.
    PlanDown {
        /// The newest version that stays.
        to: i64,
    },
    /// Take back everything above a version.
    Down {
        /// The newest version that stays.
        to: i64,
        /// Losses that somebody has looked at and takes.
        accept: Vec<AcceptedLoss>,
    },
}

impl MigrationOrder {
    /// Whether the schema may be another one afterwards.
    pub fn changes(&self) -> bool {
        match self {
            Self::Status | Self::Plan { .. } | Self::Check | Self::PlanDown { .. } => false,
            Self::Up { .. } | Self::Resume | Self::Down { .. } => true,
        }
    }

    /// Which command leaves a record of it.
    pub fn command(&self) -> Command {
        match self {
            Self::Status | Self::Plan { .. } | Self::Check | Self::Up { .. } | Self::Resume => Command::DbMigrate,
            Self::PlanDown { .. } | Self::Down { .. } => Command::DbRollback,
        }
    }
}

/// The phases of a change of the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Adds what a new release needs; the old one does not notice.
    Expand,
    /// Moves data, in batches.
    Backfill,
    /// Removes what no release needs any more.
    Contract,
}

impl Phase {
    /// As it stands in a migration's header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
        }
    }
}

/// Rows that may be lost: exactly so many of a column, or of a whole table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AcceptedLoss(String);

impl AcceptedLoss {
    /// `table.column:count`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AcceptedLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AcceptedLoss {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let good = text.rsplit_once(':').is_some_and(|(what, count)| {
            !what.is_empty() && !what.contains(char::is_whitespace) && count.parse::<u64>().is_ok()
        });
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err("a loss is written as TABLE.COLUMN:COUNT, such as tasks.note:12")
        }
    }
}

/// A run of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationPlan {
    /// What is asked.
    pub order: MigrationOrder,
    /// The release whose migrations they are, in people's words.
    pub release: String,
    /// Where the migrations come from.
    pub source: MigrationSource,
    /// The task definition of the release that users have.
    pub live: Arn,
    /// What has to be remembered of it when it has run, be it in part.
    pub changes: Vec<SchemaChange>,
    /// The executor refuses to start when the world no longer has it.
    pub fingerprint: Fingerprint,
}

/// Where migrations come from, and by that who runs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MigrationSource {
    /// The image of the release that users have: a one-off task runs them.
    Live,
    /// Another image, whose task definition is registered first: a one-off task runs them.
    Image(Release),
    /// Files beside tt-ops, which runs them itself.
    Files(Files),
}

/// A folder of migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Where it is, as messages and records name it.
    pub folder: String,
    /// Its contract migrations that are pending, in order.
    pub pending_contracts: Vec<Contract>,
}

/// A contract migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// Releases that know no schema as new as this one no longer work after it.
    pub breaks_below: i64,
}

/// Tasks of one task definition that run at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningTasks {
    /// Their task definition.
    pub task_definition: Arn,
    /// The release's name, or the task definition's where nobody gave one.
    pub label: String,
    /// So many.
    pub count: u32,
}

/// Plans a run of migrations.
pub fn migrate(
    environment: &Environment,
    observed: &Observed,
    running: &[RunningTasks],
    order: MigrationOrder,
    source: MigrationSource,
) -> Result<MigrationPlan, Refusals> {
    let mut refusals = preflight::identity(environment, observed);
    match &order {
        MigrationOrder::Up {
            phase: Some(Phase::Contract),
        } => {
            refusals.extend(still_in_service(observed, running, &source));
            refusals.extend(ahead_of_users(observed, &source));
        }
        MigrationOrder::PlanDown { to } | MigrationOrder::Down { to, .. } => {
            refusals.extend(still_needed(observed, *to));
        }
        MigrationOrder::Status
        | MigrationOrder::Plan { .. }
        | MigrationOrder::Check
        | MigrationOrder::Up { .. }
        | MigrationOrder::Resume => {}
    }
    Refusals::none_or(refusals)?;
    let live = observed.users_are_on();
    let changes = match &order {
        MigrationOrder::Down { to, .. } => vec![SchemaChange::TakenBackTo { version: *to }],
        MigrationOrder::Status
        | MigrationOrder::Plan { .. }
        | MigrationOrder::Check
        | MigrationOrder::Up { .. }
        | MigrationOrder::Resume
        | MigrationOrder::PlanDown { .. } => Vec::new(),
    };
    Ok(MigrationPlan {
        order,
        release: match &source {
            MigrationSource::Live => live.label(),
            MigrationSource::Image(release) => release.name.to_string(),
            MigrationSource::Files(files) => files.folder.clone(),
        },
        source,
        live: live.task_definition.clone(),
        changes,
        fingerprint: Fingerprint::of(observed),
    })
}

/// A contract migration removes what an older release may still read or write: it has to wait until that one is gone and can no
/// longer be flipped back to.
fn still_in_service(observed: &Observed, running: &[RunningTasks], source: &MigrationSource) -> Option<Refusal> {
    let live = &observed.service.live;
    let mut current = vec![&live.task_definition];
    let mut in_service: Vec<String> = Vec::new();
    // What a newer image removes, the release that users have may well need: that is the older one then.
    if let MigrationSource::Image(release) = source
        && observed.service.running > 0
        && live.digest.as_ref() != Some(&release.image.digest)
    {
        in_service.push(format!("{}, which users have", live.label()));
    }
    if let Some(deployment) = observed
        .service
        .deployment
        .as_ref()
        .filter(|deployment| !deployment.status.ended())
    {
        let from = deployment
            .from
            .as_ref()
            .map_or_else(|| "no release".to_owned(), crate::Revision::label);
        let stage = deployment
            .stage
            .map_or("before its first stage", |stage| stage.ecs_name());
        current.push(&deployment.to.task_definition);
        in_service.push(format!(
            "{from}, which the deployment of {} can still return to ({stage})",
            deployment.to.label()
        ));
    }
    in_service.extend(
        running
            .iter()
            .filter(|tasks| !current.contains(&&tasks.task_definition) && tasks.count > 0)
            .map(|tasks| format!("{} ({} running)", tasks.label, tasks.count)),
    );
    (!in_service.is_empty()).then_some(Refusal::StillInService { in_service })
}

/// Files beside tt-ops are of no release in particular: that users have one which can do without what they remove has to be on record.
fn ahead_of_users(observed: &Observed, source: &MigrationSource) -> Option<Refusal> {
    let MigrationSource::Files(files) = source else {
        return None;
    };
    if files.pending_contracts.is_empty() || observed.service.running == 0 {
        return None;
    }
    let live = observed.users_are_on();
    let Some(range) = schema::range(&observed.history, &live.task_definition) else {
        return Some(Refusal::SchemaUnknown { release: live.label() });
    };
    let ahead: Vec<String> = files
        .pending_contracts
        .iter()
        .filter(|contract| range.knows < contract.breaks_below)
        .map(|contract| format!("{:04} {}", contract.version, contract.name))
        .collect();
    (!ahead.is_empty()).then(|| Refusal::ContractAhead {
        release: live.label(),
        migrations: ahead,
    })
}

fn still_needed(observed: &Observed, to: i64) -> Option<Refusal> {
    let live = observed.users_are_on();
    let range = schema::range(&observed.history, &live.task_definition)?;
    (to < range.needs).then(|| Refusal::SchemaStillNeeded {
        release: live.label(),
        needs: range.needs,
        to,
    })
}

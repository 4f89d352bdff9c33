//! The way of a release back: by deployed history, never by "revision minus one".

use time::OffsetDateTime;
use tt_environment::Environment;

use crate::{
    fingerprint::Fingerprint,
    observed::{Deployment, DeploymentStatus, LifecycleStage, Observed},
    preflight,
    record::{Command, Outcome, Record},
    refusal::{Refusal, Refusals},
    schema,
    step::{Desired, Plan, Step},
};

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// What users had before.
    Previous,
    /// A release on record, by name.
    Release(String),
}

/// A plan with what the operator should know before saying yes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackPlan {
    /// What to do.
    pub plan: Plan,
    /// How fast it will be, and why.
    pub mode: Mode,
    /// Since when some users have had the release that is taken back, as far as is known.
    pub serving_since: Option<OffsetDateTime>,
}

/// How users get back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The old tasks still run: one change of weights.
    Instant,
    /// The old tasks are gone: they are started again first.
    Relaunch,
    /// ECS is on its way back already: watch it.
    Underway,
}

/// Plans to give users what they had before.
pub fn rollback(environment: &Environment, observed: &Observed, target: &Target) -> Result<RollbackPlan, Refusals> {
    Refusals::none_or(preflight::identity(environment, observed))?;
    let in_flight = observed
        .service
        .deployment
        .as_ref()
        .filter(|deployment| !deployment.status.ended());
    let plan = match in_flight {
        Some(deployment) if can_flip(deployment) => take_back(observed, deployment, target)?,
        Some(_) | None => relaunch(environment, observed, in_flight, target)?,
    };
    Refusals::none_or(schema_moved_on(observed, &plan.plan))?;
    Ok(plan)
}

fn schema_moved_on(observed: &Observed, plan: &Plan) -> Vec<Refusal> {
    let migrations = schema::in_the_way_of(&observed.history, plan.task_definition.as_ref());
    if migrations.is_empty() {
        return Vec::new();
    }
    vec![Refusal::SchemaMovedOn {
        release: plan.brings.clone(),
        migrations,
    }]
}

/// Until `CLEAN_UP` the old tasks run, so ECS only has to change weights.
fn can_flip(deployment: &Deployment) -> bool {
    deployment.from.is_some() && deployment.stage != Some(LifecycleStage::CleanUp)
}

fn take_back(observed: &Observed, deployment: &Deployment, target: &Target) -> Result<RollbackPlan, Refusal> {
    let from = deployment.from.as_ref().unwrap_or(&observed.service.live);
    if let Target::Release(wanted) = target
        && *wanted != from.label()
    {
        return Err(Refusal::TakeBackFirst {
            in_flight: deployment.to.label(),
            back_to: from.label(),
            wanted: wanted.clone(),
        });
    }
    let (mode, steps) = match deployment.status {
        DeploymentStatus::RollingBack { .. } => (
            Mode::Underway,
            vec![
                Step::Attach {
                    deployment: deployment.arn.clone(),
                },
                Step::AwaitReturn,
            ],
        ),
        DeploymentStatus::Pending
        | DeploymentStatus::InProgress
        | DeploymentStatus::Successful
        | DeploymentStatus::Stopped { .. }
        | DeploymentStatus::RolledBack { .. }
        | DeploymentStatus::RollbackFailed { .. } => (
            Mode::Instant,
            vec![
                Step::Revert {
                    deployment: deployment.arn.clone(),
                },
                Step::AwaitReturn,
            ],
        ),
    };
    let known = observed
        .deploys()
        .find(|record| record.task_definition.as_ref() == Some(&from.task_definition));
    Ok(RollbackPlan {
        plan: Plan {
            command: Command::Rollback,
            brings: from.label(),
            image: known.and_then(|record| record.image.clone()),
            commit: known.and_then(|record| record.commit.clone()),
            replaces: deployment.to.label(),
            previous: deployment.to.task_definition.clone(),
            task_definition: Some(from.task_definition.clone()),
            resumes: Some(deployment.arn.clone()),
            steps,
            fingerprint: Fingerprint::of(observed),
        },
        mode,
        serving_since: Some(deployment.created_at),
    })
}

fn relaunch(
    environment: &Environment,
    observed: &Observed,
    in_flight: Option<&Deployment>,
    target: &Target,
) -> Result<RollbackPlan, Refusal> {
    // In CLEAN_UP the new revision has all users, so it is what is taken back.
    let live = in_flight.map_or(&observed.service.live, |deployment| &deployment.to);
    let record = match target {
        Target::Previous => before(observed, &live.task_definition).ok_or(Refusal::NothingToReturnTo)?,
        Target::Release(wanted) if *wanted == live.label() => {
            return Err(Refusal::AlreadyThere {
                release: wanted.clone(),
            });
        }
        Target::Release(wanted) => observed
            .deploys()
            .find(|record| served(record) && record.release == *wanted)
            .ok_or_else(|| Refusal::NeverDeployed {
                release: wanted.clone(),
                known: releases(observed),
            })?,
    };
    let task_definition = record.task_definition.clone().ok_or(Refusal::NothingToReturnTo)?;
    let minimum = environment.service.minimum_tasks;
    let desired = if observed.service.desired < minimum {
        Desired::RaiseTo(minimum)
    } else {
        Desired::Unchanged
    };
    let serving_since = observed
        .deploys()
        .find(|past| past.task_definition.as_ref() == Some(&live.task_definition))
        .and_then(|past| past.ended_at);
    Ok(RollbackPlan {
        plan: Plan {
            command: Command::Rollback,
            brings: record.release.clone(),
            image: record.image.clone(),
            commit: record.commit.clone(),
            replaces: live.label(),
            previous: live.task_definition.clone(),
            task_definition: Some(task_definition.clone()),
            resumes: None,
            steps: vec![
                Step::Relaunch {
                    task_definition,
                    release: record.release.clone(),
                    desired,
                },
                Step::AwaitReturn,
            ],
            fingerprint: Fingerprint::of(observed),
        },
        mode: Mode::Relaunch,
        serving_since,
    })
}

/// The newest good run that is older than the deploy which first brought `live`, and brought something else.
///
/// Counting from the deploy and not from a later rollback to it keeps a second rollback from going forward to the release that was just
/// taken back.
fn before<'a>(observed: &'a Observed, live: &crate::Arn) -> Option<&'a Record> {
    let brought_live =
        |record: &&Record| record.command == Command::Deploy && record.task_definition.as_ref() == Some(live);
    let mut older = observed.deploys().skip_while(|record| !brought_live(record)).skip(1);
    older.find(|record| {
        served(record) && record.task_definition.is_some() && record.task_definition.as_ref() != Some(live)
    })
}

/// Whether all users had it, and nobody took it back in the same run.
fn served(record: &Record) -> bool {
    match record.outcome {
        Outcome::Done | Outcome::Shifted => true,
        Outcome::Running
        | Outcome::RolledBack { .. }
        | Outcome::Failed { .. }
        | Outcome::Interrupted { .. }
        | Outcome::Paused { .. } => false,
    }
}

fn releases(observed: &Observed) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in observed.deploys().filter(|record| served(record)) {
        if !names.contains(&record.release) {
            names.push(record.release.clone());
        }
    }
    names
}

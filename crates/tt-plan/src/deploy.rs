//! The way of a release forward.

use tt_environment::{Environment, Minutes, Pinning, Rehearsal, Strategy};

use crate::{
    fingerprint::Fingerprint,
    observed::{Deployment, DeploymentStatus, LifecycleStage, LiveStrategy, Observed},
    preflight::{Check, preflight},
    record::{Command, Outcome},
    refusal::{Refusal, Refusals},
    release::{GivenBy, Release},
    share::Share,
    step::{Desired, Plan, Step},
};

/// What the caller has looked at and takes as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Nothing: drift is refused.
    None,
    /// What runs was changed by somebody else, and is right.
    Drift,
}

/// Plans to give users `release`.
pub fn deploy(
    environment: &Environment,
    release: &Release,
    observed: &Observed,
    consent: Consent,
) -> Result<Plan, Refusals> {
    let in_flight = observed
        .service
        .deployment
        .as_ref()
        .filter(|deployment| !deployment.status.ended());
    Refusals::none_or(refusals(environment, release, observed, in_flight, consent))?;
    let steps = match in_flight {
        Some(deployment) => resumed(environment, deployment),
        None if observed.service.live.digest.as_ref() == Some(&release.image.digest)
            && observed.service.running > 0 =>
        {
            Vec::new()
        }
        None => fresh(environment, release, observed),
    };
    Ok(Plan {
        command: Command::Deploy,
        brings: release.name.to_string(),
        image: Some(release.image.clone()),
        commit: release.commit.clone(),
        replaces: replaced(observed, in_flight),
        previous: in_flight
            .and_then(|deployment| deployment.from.as_ref())
            .unwrap_or(&observed.service.live)
            .task_definition
            .clone(),
        task_definition: in_flight.map(|deployment| deployment.to.task_definition.clone()),
        resumes: in_flight.map(|deployment| deployment.arn.clone()),
        steps,
        fingerprint: Fingerprint::of(observed),
    })
}

fn refusals(
    environment: &Environment,
    release: &Release,
    observed: &Observed,
    in_flight: Option<&Deployment>,
    consent: Consent,
) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for finding in preflight(environment, observed) {
        // A deployment in flight may well be what makes an alarm fire: following it is how it gets taken back.
        let waived = match finding.check {
            Check::Drift => consent == Consent::Drift,
            Check::Alarms | Check::Freeze => in_flight.is_some(),
            Check::Identity | Check::Routes | Check::Stickiness | Check::Roles | Check::Secrets => false,
        };
        if !waived {
            refusals.extend(finding.refusals);
        }
    }
    if let (Pinning::DigestRequired, GivenBy::Tag(tag)) = (&environment.image.pinning, &release.given_by) {
        refusals.push(Refusal::NotPinned {
            image: format!("{}:{tag}", release.image.repository),
        });
    }
    match in_flight {
        Some(deployment) => refusals.extend(stands_in_the_way(release, deployment)),
        None => refusals.extend(unrehearsed(environment, release, observed)),
    }
    refusals
}

/// Where nobody is served there is nobody to stall.
fn unrehearsed(environment: &Environment, release: &Release, observed: &Observed) -> Option<Refusal> {
    let required = environment
        .migrations
        .as_ref()
        .is_some_and(|migrations| migrations.rehearsal == Rehearsal::Required);
    let rehearsed = observed.history.iter().any(|record| {
        record.command == Command::Rehearse
            && record.outcome == Outcome::Done
            && record
                .image
                .as_ref()
                .is_some_and(|image| image.digest == release.image.digest)
    });
    let lives = observed.service.live.digest.as_ref() == Some(&release.image.digest);
    (required && !rehearsed && !lives && observed.service.running > 0).then(|| Refusal::NotRehearsed {
        image: release.image.to_string(),
    })
}

fn stands_in_the_way(release: &Release, deployment: &Deployment) -> Option<Refusal> {
    if deployment.to.digest.as_ref() != Some(&release.image.digest) {
        return Some(Refusal::InFlight {
            release: deployment.to.label(),
            stage: deployment.stage,
        });
    }
    match &deployment.status {
        DeploymentStatus::RollingBack { reason } => Some(Refusal::BeingTakenBack {
            release: deployment.to.label(),
            reason: reason.clone(),
        }),
        DeploymentStatus::Pending
        | DeploymentStatus::InProgress
        | DeploymentStatus::Successful
        | DeploymentStatus::Stopped { .. }
        | DeploymentStatus::RolledBack { .. }
        | DeploymentStatus::RollbackFailed { .. } => None,
    }
}

fn replaced(observed: &Observed, in_flight: Option<&Deployment>) -> String {
    if in_flight.is_none() && observed.service.running == 0 {
        // Before the first release the service names a task definition that nobody has ever met.
        return "no release".to_owned();
    }
    in_flight
        .and_then(|deployment| deployment.from.as_ref())
        .unwrap_or(&observed.service.live)
        .label()
}

fn fresh(environment: &Environment, release: &Release, observed: &Observed) -> Vec<Step> {
    let service = &observed.service;
    // Without a running task there are no users to protect by small steps, and nothing to return to while baking.
    let serving = service.running > 0;
    let strategy = if serving {
        environment.rollout.strategy
    } else {
        Strategy::AllAtOnce
    };
    let bake = if serving {
        environment.rollout.bake
    } else {
        Minutes::ZERO
    };
    let pauses = pauses(environment, observed, strategy);
    let minimum = environment.service.minimum_tasks;

    let mut steps = vec![Step::Register {
        base: service.live.task_definition.clone(),
        container: environment.service.container.clone(),
        release: release.clone(),
        secrets: environment.secrets.clone(),
    }];
    if let Some(migrations) = &environment.migrations {
        steps.push(Step::Migrate {
            command: migrations.command.clone(),
            timeout: migrations.timeout,
        });
    }
    steps.push(Step::Start {
        strategy,
        bake,
        pauses: pauses.clone(),
        decision_timeout: environment.rollout.decision_timeout,
        desired: if service.desired < minimum {
            Desired::RaiseTo(minimum)
        } else {
            Desired::Unchanged
        },
    });
    if pauses.contains(&LifecycleStage::PostTestTrafficShift) {
        steps.push(Step::SmokeTest);
    }
    steps.extend(shifts(strategy, Share::NONE));
    if bake != Minutes::ZERO {
        steps.push(Step::Bake { minutes: bake });
    }
    steps.push(Step::Complete);
    steps
}

/// The stages at which ECS is to wait for us.
fn pauses(environment: &Environment, observed: &Observed, strategy: Strategy) -> Vec<LifecycleStage> {
    let mut pauses = Vec::new();
    let can_be_asked = environment.smoke_test.base_url.is_some() || observed.service.traffic.test.is_some();
    if can_be_asked && !environment.smoke_test.requests.is_empty() {
        pauses.push(LifecycleStage::PostTestTrafficShift);
    }
    if strategy != Strategy::AllAtOnce {
        pauses.push(LifecycleStage::PreProductionTrafficShift);
    }
    pauses
}

/// The steps of traffic that are left once the new revision has `from`; each one after the first stands behind an analysis of the one before.
fn shifts(strategy: Strategy, from: Share) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut at = from;
    while at != Share::ALL {
        let to = next_share(strategy, at);
        if at != Share::NONE {
            steps.push(Step::Analyse { at });
        }
        steps.push(Step::Shift { to });
        at = to;
    }
    steps
}

fn next_share(strategy: Strategy, at: Share) -> Share {
    match strategy {
        Strategy::AllAtOnce => Share::ALL,
        Strategy::Linear { percent, .. } => at.plus(percent),
        Strategy::Canary { percent, .. } => {
            if at < Share::from(percent) {
                Share::from(percent)
            } else {
                Share::ALL
            }
        }
    }
}

/// The rest of a deployment that an earlier run began, by the settings it was started with.
fn resumed(environment: &Environment, deployment: &Deployment) -> Vec<Step> {
    let mut steps = vec![Step::Attach {
        deployment: deployment.arn.clone(),
    }];
    let stage = deployment.stage.unwrap_or(LifecycleStage::PreScaleUp);
    let tested = LifecycleStage::PostTestTrafficShift;
    if stage <= tested && deployment.rollout.pauses.contains(&tested) && !environment.smoke_test.requests.is_empty() {
        steps.push(Step::SmokeTest);
    }
    if stage < LifecycleStage::PostProductionTrafficShift {
        let strategy = match deployment.rollout.strategy {
            LiveStrategy::Rolling => Strategy::AllAtOnce,
            LiveStrategy::Shifting(strategy) => strategy,
        };
        steps.extend(shifts(strategy, deployment.shifted));
    }
    if stage <= LifecycleStage::BakeTime && deployment.rollout.bake != Minutes::ZERO {
        steps.push(Step::Bake {
            minutes: deployment.rollout.bake,
        });
    }
    steps.push(Step::Complete);
    steps
}

//! Reads everything a plan stands on; the reads that do not depend on each other run side by side.

use time::OffsetDateTime;
use tt_environment::Environment;
use tt_execute::{Journal, PortError};
use tt_plan::{Deployment, DeploymentStatus, Observed, Outcome, Record};

use crate::{
    alarms,
    clients::Clients,
    ecs::{
        deployment::{Cache, describe, to_deployment},
        service,
    },
    identity,
    records::S3Journal,
    secrets,
};

pub(crate) async fn observe(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    journal: &S3Journal,
) -> Result<Observed, PortError> {
    let (caller, service, alarms, missing_secrets, history, lease) = tokio::try_join!(
        identity::caller(clients),
        service::state(clients, environment, cache),
        alarms::alarms(clients, &environment.alarms),
        secrets::missing(clients, environment),
        journal.history(),
        journal.lease(),
    )?;
    let history = settled(clients, environment, cache, history).await?;
    Ok(Observed {
        at: OffsetDateTime::now_utc(),
        caller,
        service,
        alarms,
        missing_secrets,
        history,
        lease: lease.map(|(lease, _)| lease),
    })
}

/// A run that left early, or died, could not write how ECS ended its deployment: ECS is asked. The newest few are enough, because anything
/// older has been followed by a run that ended.
async fn settled(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
    mut history: Vec<Record>,
) -> Result<Vec<Record>, PortError> {
    for record in history.iter_mut().take(5) {
        let open = match record.outcome {
            Outcome::Running | Outcome::Shifted | Outcome::Interrupted { .. } | Outcome::Paused { .. } => true,
            Outcome::Done | Outcome::RolledBack { .. } | Outcome::Failed { .. } => false,
        };
        let Some(arn) = record.deployment.as_ref().filter(|_| open) else {
            continue;
        };
        if let Some(found) = describe(clients, arn).await? {
            let deployment = to_deployment(clients, environment, cache, &found).await?;
            settle(record, &deployment);
        }
    }
    Ok(history)
}

fn settle(record: &mut Record, deployment: &Deployment) {
    match &deployment.status {
        DeploymentStatus::Successful => record.outcome = Outcome::Done,
        DeploymentStatus::RolledBack { reason } | DeploymentStatus::Stopped { reason }
            if record.command == tt_plan::Command::Deploy =>
        {
            record.outcome = Outcome::RolledBack { reason: reason.clone() };
        }
        DeploymentStatus::Pending
        | DeploymentStatus::InProgress
        | DeploymentStatus::RollingBack { .. }
        | DeploymentStatus::RolledBack { .. }
        | DeploymentStatus::Stopped { .. }
        | DeploymentStatus::RollbackFailed { .. } => {}
    }
}

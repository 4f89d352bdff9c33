//! The steps of a rollback.

use tt_plan::{Arn, DeploymentStatus, Share, Step};

use crate::{
    event::Holdup,
    executor::Executor,
    halt::Halt,
    ports::{Clock, Cloud, Journal, PortErrorKind, Probe, Progress},
    run::Run,
    wait::Detour,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    pub(crate) async fn revert(&self, run: &mut Run<'_>, deployment: &Arn) -> Result<(), Halt> {
        run.record.deployment = Some(deployment.clone());
        match self.cloud.revert(deployment).await {
            // It ended, or turned back by itself, a moment ago: the next step finds out which.
            Err(error) if error.kind == PortErrorKind::Conflict => Ok(()),
            other => Ok(other?),
        }
    }

    /// Users first: done as soon as the listener rule says so, while ECS goes on ending tasks.
    pub(crate) async fn await_return(&self, run: &mut Run<'_>) -> Result<(), Halt> {
        let relaunched = run.plan.steps.iter().any(|step| matches!(step, Step::Relaunch { .. }));
        let limit = self.at_most(30);
        let home: fn(&Progress) -> Option<Result<(), String>> = if relaunched { arrived } else { returned };
        match self.poll(run, limit, |_| Holdup::Return, home).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) | Err(Detour::TurnedBack { reason }) => Err(Halt::RollbackFailed {
                release: run.plan.replaces.clone(),
                reason,
            }),
            Err(Detour::TooLong) => Err(Halt::TimedOut {
                what: "the rollback".to_owned(),
                limit,
            }),
            Err(Detour::Failed(error)) => Err(error.into()),
        }
    }
}

/// A deployment that is taken back: nobody reaches its tasks any more.
fn returned(progress: &Progress) -> Option<Result<(), String>> {
    let share = progress.live_share;
    match &progress.deployment.status {
        DeploymentStatus::RollingBack { .. } => (share == Share::NONE).then_some(Ok(())),
        DeploymentStatus::RolledBack { .. } | DeploymentStatus::Stopped { .. } => Some(Ok(())),
        DeploymentStatus::RollbackFailed { reason } => Some(Err(reason.clone())),
        DeploymentStatus::Successful => Some(Err(
            "it was complete before it could be taken back; run `rollback` again".to_owned(),
        )),
        DeploymentStatus::Pending | DeploymentStatus::InProgress => None,
    }
}

/// A deployment of the earlier revision: everybody reaches its tasks.
fn arrived(progress: &Progress) -> Option<Result<(), String>> {
    match &progress.deployment.status {
        DeploymentStatus::Successful => Some(Ok(())),
        DeploymentStatus::InProgress => progress.live_share.is_whole().then_some(Ok(())),
        DeploymentStatus::Pending => None,
        DeploymentStatus::RollingBack { reason }
        | DeploymentStatus::RolledBack { reason }
        | DeploymentStatus::Stopped { reason }
        | DeploymentStatus::RollbackFailed { reason } => Some(Err(reason.clone())),
    }
}

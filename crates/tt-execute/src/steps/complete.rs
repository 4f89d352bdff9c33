//! Waits until ECS has ended the old tasks.

use tt_plan::DeploymentStatus;

use crate::{
    event::Holdup,
    executor::Executor,
    halt::Halt,
    ports::{Clock, Cloud, Journal, Probe},
    run::Run,
    wait::Detour,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    /// SUCCESSFUL of this very deployment: a service that merely looks stable may be stable on the old revision.
    pub(crate) async fn complete(&self, run: &mut Run<'_>) -> Result<(), Halt> {
        let limit = self.at_most(30);
        let done = self
            .follow(
                run,
                limit,
                |progress| Holdup::Stage {
                    now: progress.deployment.stage,
                },
                |progress| (progress.deployment.status == DeploymentStatus::Successful).then_some(()),
            )
            .await;
        match done {
            Ok(()) => Ok(()),
            // All users have the release: slow cleaning up is no reason to take it away from them.
            Err(Detour::TooLong) => Err(Halt::TimedOut {
                what: "ending the old tasks".to_owned(),
                limit,
            }),
            Err(detour) => Err(self.detoured(run, detour, "ending the old tasks", limit).await),
        }
    }
}

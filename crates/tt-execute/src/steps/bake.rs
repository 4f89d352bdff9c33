//! Keeps both revisions while the new one has all traffic, and goes on analysing: until the end of the bake the way back is one change of weights.

use std::time::Duration;

use tt_environment::Minutes;
use tt_plan::{DeploymentStatus, LifecycleStage, Verdict};

use crate::{
    event::{Event, Holdup},
    executor::Executor,
    halt::{Halt, breach_reason},
    ports::{Clock, Cloud, Journal, Probe},
    run::Run,
    steps::analyse::elapsed,
    wait::{Detour, turned_back},
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    /// Ends when ECS leaves `BAKE_TIME`. Too few requests at night are no reason to take a release back that has all users already.
    pub(crate) async fn bake(&self, run: &mut Run<'_>, minutes: Minutes) -> Result<(), Halt> {
        let began = self.clock.now();
        let bake = minutes.lasting(self.environment.aws.minute);
        let limit = bake + self.at_most(15);
        let mut measured = began;
        loop {
            let progress = match self.look(run).await {
                Ok(progress) => progress,
                Err(error) => return Err(error.into()),
            };
            let now = self.clock.now();
            if let Some(progress) = progress {
                let status = &progress.deployment.status;
                if let Some(reason) = turned_back(status) {
                    return Err(self.detoured(run, Detour::TurnedBack { reason }, "baking", limit).await);
                }
                if *status == DeploymentStatus::Successful || progress.deployment.stage > Some(LifecycleStage::BakeTime)
                {
                    return Ok(());
                }
                if elapsed(measured, now) >= self.environment.analysis.interval {
                    measured = now;
                    if let Verdict::Failed { breach } = self
                        .verdict(run, progress.deployment.target_group.as_ref(), began)
                        .await
                    {
                        return Err(self.taken_back(run, breach_reason(&breach)).await);
                    }
                }
            }
            let waited: Duration = elapsed(began, now);
            run.emit(Event::Waiting {
                holdup: Holdup::Bake { until: began + bake },
                waited,
                at_most: limit,
            });
            if waited >= limit {
                return Err(Halt::TimedOut {
                    what: "the bake".to_owned(),
                    limit,
                });
            }
            self.clock.sleep(self.interval()).await;
        }
    }
}

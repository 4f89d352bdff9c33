//! Lets ECS move one step of production traffic.

use tt_plan::{LifecycleStage, Share};

use crate::{
    event::Holdup,
    executor::Executor,
    halt::Halt,
    ports::{Answer, Clock, Cloud, Journal, Probe},
    run::Run,
    wait::Detour,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    /// Answers the pause before the step, then waits until the listener rule really says so.
    pub(crate) async fn shift(&self, run: &mut Run<'_>, to: Share) -> Result<(), Halt> {
        let limit = self.at_most(30);
        let mut answered: Option<String> = None;
        loop {
            let holds = self
                .follow(
                    run,
                    limit,
                    |progress| Holdup::Stage {
                        now: progress.deployment.stage,
                    },
                    |progress| {
                        if progress.live_share >= to {
                            return Some(None);
                        }
                        let pause = progress
                            .deployment
                            .pause
                            .as_ref()
                            .filter(|pause| pause.stage == LifecycleStage::PreProductionTrafficShift)?;
                        (answered.as_ref() != Some(&pause.hook)).then(|| Some(pause.hook.clone()))
                    },
                )
                .await;
            match (holds, run.deployment().cloned()) {
                (Ok(Some(hook)), Some(deployment)) => {
                    self.cloud.answer(&deployment, &hook, Answer::Continue).await?;
                    answered = Some(hook);
                }
                (Ok(_), _) => return Ok(()),
                (Err(detour), _) => return Err(self.detoured(run, detour, "shifting traffic", limit).await),
            }
        }
    }

    /// Whether ECS waits for the step after `at`, or has gone on without a pause.
    pub(crate) async fn holds_at(&self, run: &mut Run<'_>, at: Share) -> Result<Hold, Detour> {
        let Some(progress) = self.look(run).await.map_err(Detour::Failed)? else {
            return Ok(Hold::NotYet);
        };
        if let Some(reason) = crate::wait::turned_back(&progress.deployment.status) {
            return Err(Detour::TurnedBack { reason });
        }
        if progress.live_share > at {
            return Ok(Hold::Past);
        }
        let waits = progress
            .deployment
            .pause
            .is_some_and(|pause| pause.stage == LifecycleStage::PreProductionTrafficShift);
        Ok(match progress.deployment.target_group {
            Some(target_group) if waits => Hold::Waits { target_group },
            Some(target_group) => Hold::Runs { target_group },
            None => Hold::NotYet,
        })
    }
}

/// Where ECS is with a step of traffic.
pub(crate) enum Hold {
    /// Nothing to be seen yet.
    NotYet,
    /// In the step's own bake.
    Runs {
        /// Of the new tasks.
        target_group: tt_plan::Arn,
    },
    /// At the pause behind it.
    Waits {
        /// Of the new tasks.
        target_group: tt_plan::Arn,
    },
    /// Further on.
    Past,
}

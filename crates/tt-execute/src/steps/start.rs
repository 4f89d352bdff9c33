//! Starts a service deployment, or attaches to one that runs.

use tt_environment::{Minutes, Strategy};
use tt_plan::{Arn, Desired, LifecycleStage};

use crate::{
    executor::Executor,
    halt::Halt,
    ports::{Clock, Cloud, Journal, Probe, Start},
    run::Run,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    pub(crate) async fn start(
        &self,
        run: &mut Run<'_>,
        strategy: Strategy,
        bake: Minutes,
        pauses: &[LifecycleStage],
        decision_timeout: Minutes,
        desired: Desired,
    ) -> Result<(), Halt> {
        let Some(task_definition) = run.record.task_definition.clone() else {
            return Err(Halt::WorldMoved);
        };
        let start = Start {
            task_definition,
            strategy,
            bake,
            pauses: pauses.to_vec(),
            decision_timeout,
            desired,
        };
        self.begin(run, &start).await
    }

    /// From the call on until ECS shows the deployment nobody knows whether it began.
    async fn begin(&self, run: &mut Run<'_>, start: &Start) -> Result<(), Halt> {
        run.starting = Some(start.task_definition.clone());
        let deployment = self.cloud.start(start).await?;
        self.attach(run, &deployment).await
    }

    /// A start whose answer was lost, or not waited for, may have begun all the same: ECS is asked what it carries out.
    pub(crate) async fn find_start(&self, run: &mut Run<'_>) {
        let Some(task_definition) = run.starting.clone() else {
            return;
        };
        let Ok(observed) = self.cloud.observe().await else {
            return;
        };
        let begun = observed
            .service
            .deployment
            .filter(|deployment| deployment.to.task_definition == task_definition);
        run.record.deployment = begun.map(|deployment| deployment.arn);
        run.starting = None;
    }

    pub(crate) async fn attach(&self, run: &mut Run<'_>, deployment: &Arn) -> Result<(), Halt> {
        run.record.deployment = Some(deployment.clone());
        run.starting = None;
        run.save(self.journal).await;
        Ok(())
    }

    /// A rollback to a revision whose tasks are gone: straight there, because every minute counts.
    pub(crate) async fn relaunch(
        &self,
        run: &mut Run<'_>,
        task_definition: &Arn,
        desired: Desired,
    ) -> Result<(), Halt> {
        let start = Start {
            task_definition: task_definition.clone(),
            strategy: Strategy::AllAtOnce,
            bake: Minutes::ZERO,
            pauses: Vec::new(),
            decision_timeout: self.environment.rollout.decision_timeout,
            desired,
        };
        self.begin(run, &start).await
    }
}

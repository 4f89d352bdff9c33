//! Registers the release's task definition.

use std::collections::BTreeMap;

use tt_environment::{ContainerName, SecretName};
use tt_plan::{Arn, Release};

use crate::{
    executor::Executor,
    halt::Halt,
    ports::{Clock, Cloud, Journal, Probe, Registration},
    run::Run,
};

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    pub(crate) async fn register(
        &self,
        run: &mut Run<'_>,
        base: &Arn,
        container: &ContainerName,
        release: &Release,
        secrets: &BTreeMap<String, SecretName>,
    ) -> Result<(), Halt> {
        let registration = Registration {
            base: base.clone(),
            container: container.clone(),
            release: release.clone(),
            secrets: secrets.clone(),
        };
        let revision = self.cloud.register(&registration).await?;
        run.record.task_definition = Some(revision.task_definition);
        run.save(self.journal).await;
        Ok(())
    }
}

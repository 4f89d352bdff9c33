//! The steps of a plan about backups.

use std::time::Duration;

use tt_environment::{InstanceName, KmsKey, Region, SnapshotName};
use tt_plan::database::{InstanceStatus, Mark, RunId, SnapshotStatus, compare};

use super::{
    event::DatabaseEvent,
    executor::{DatabaseExecutor, Walked},
    halt::DatabaseHalt,
    ports::{Backups, Database, Depth, On},
};
use crate::{
    event::Event,
    ports::{Clock, PortError, PortErrorKind},
};

impl<B: Backups, D: Database, K: Clock> DatabaseExecutor<'_, B, D, K> {
    pub(crate) async fn take_snapshot(
        &self,
        instance: &InstanceName,
        snapshot: &SnapshotName,
        mark: &Mark,
    ) -> Result<(), DatabaseHalt> {
        self.backups.take_snapshot(instance, snapshot, mark).await?;
        self.snapshot_available(&self.environment.aws.region, snapshot).await?;
        Ok(())
    }

    pub(crate) async fn copy_snapshot(
        &self,
        snapshot: &SnapshotName,
        to: &Region,
        kms_key: Option<&KmsKey>,
        mark: &Mark,
    ) -> Result<(), DatabaseHalt> {
        let original = self.snapshot_available(&self.environment.aws.region, snapshot).await?;
        self.backups.copy_snapshot(&original, to, kms_key, mark).await?;
        self.snapshot_available(to, snapshot).await?;
        Ok(())
    }

    /// RDS has refused to restore, or its answer was lost and it refused the second time: the run's own tag tells whose instance there is.
    /// One of another run is left to it.
    pub(crate) async fn or_ours(&self, error: PortError, mark: &Mark, walked: &mut Walked) -> Result<(), DatabaseHalt> {
        let copy = walked.copy.take();
        let found = match &copy {
            Some(copy) => self.backups.instance(copy).await.ok().flatten(),
            None => None,
        };
        if found.is_some_and(|found| mark.run.is_some() && found.mark.as_ref() == Some(mark)) {
            walked.copy = copy;
            return Ok(());
        }
        Err(error.into())
    }

    /// Everything is read once more at the moment of deleting: a name may have changed hands since the plan was made, a drill may have
    /// found the snapshot whole, and what was to outlive it may be gone.
    pub(crate) async fn delete_snapshot(
        &self,
        region: &Region,
        snapshot: &SnapshotName,
        mark: &Mark,
        outlived_by: &SnapshotName,
    ) -> Result<(), DatabaseHalt> {
        let what = |name: &SnapshotName| format!("snapshot `{name}`");
        let found = match self.backups.snapshot(region, snapshot).await? {
            None => return Ok(()),
            Some(found) if found.status == SnapshotStatus::Deleting => return Ok(()),
            Some(found) => found,
        };
        if !self.is_ours(found.mark.as_ref(), None) {
            return Err(DatabaseHalt::NotOurs { what: what(snapshot) });
        }
        if found.mark.as_ref() != Some(mark) {
            return Err(DatabaseHalt::Moved { what: what(snapshot) });
        }
        let newest = self.backups.snapshot(region, outlived_by).await?;
        if !newest.is_some_and(|newest| newest.is_available()) {
            return Err(DatabaseHalt::Moved {
                what: what(outlived_by),
            });
        }
        Ok(self.backups.delete_snapshot(region, snapshot).await?)
    }

    /// Until RDS has begun to delete it; an instance that is just being made cannot be deleted at once.
    /// With `run`, only one that this very run has made.
    pub(crate) async fn delete_instance(
        &self,
        instance: &InstanceName,
        run: Option<&RunId>,
    ) -> Result<(), DatabaseHalt> {
        let what = || format!("database instance `{instance}`");
        let (began, limit) = (self.clock.now(), self.limit());
        loop {
            let waited = Duration::try_from(self.clock.now() - began).unwrap_or_default();
            let found = match self.backups.instance(instance).await {
                Ok(None) => return Ok(()),
                Ok(Some(found)) if found.status == InstanceStatus::Deleting => return Ok(()),
                Ok(Some(found)) if !self.is_ours(found.mark.as_ref(), run) => {
                    return Err(DatabaseHalt::NotOurs { what: what() });
                }
                Ok(Some(found)) => Ok(found),
                Err(error) => Err(error),
            };
            let refused = match found {
                Ok(found) => self
                    .backups
                    .delete_instance(instance)
                    .await
                    .err()
                    .map(|error| (error, Some(found))),
                Err(error) => Some((error, None)),
            };
            match refused {
                None => {}
                Some((error, found)) if error.kind == PortErrorKind::Conflict || error.kind.passes() => {
                    (self.emit)(DatabaseEvent::Working {
                        what: what(),
                        status: found.map_or_else(|| "not to be seen".to_owned(), |found| found.status.to_string()),
                        percent: None,
                        waited,
                        at_most: limit,
                    });
                }
                Some((error, _)) => return Err(error.into()),
            }
            if waited >= limit {
                return Err(DatabaseHalt::TimedOut { what: what(), limit });
            }
            self.clock.sleep(self.interval()).await;
        }
    }

    pub(crate) async fn examine(&self, walked: &mut Walked) -> Result<(), DatabaseHalt> {
        let emit = |event: Event| (self.emit)(DatabaseEvent::Task(event));
        let on = |copy| On {
            task_definition: self.task_definition.cloned(),
            copy,
        };
        let endpoint = walked.restored.as_ref().and_then(|restored| restored.endpoint.clone());
        let copy = self.database.examine(Depth::Full, &on(endpoint), &emit).await?;
        walked.verified_after = Some(self.since(walked.started_at));
        let source = self.database.examine(Depth::Glance, &on(None), &emit).await?;
        walked.findings = compare(&source, &copy);
        for finding in &walked.findings {
            (self.emit)(DatabaseEvent::Found {
                finding: finding.clone(),
            });
        }
        Ok(())
    }

    pub(crate) async fn rehearse(&self, walked: &mut Walked) -> Result<(), DatabaseHalt> {
        let emit = |event: Event| (self.emit)(DatabaseEvent::Task(event));
        let on = On {
            task_definition: self.task_definition.cloned(),
            copy: walked.restored.as_ref().and_then(|restored| restored.endpoint.clone()),
        };
        let order = tt_plan::MigrationOrder::Up { phase: None };
        walked.migrations = Some(self.database.migrate(&order, &on, &emit).await?);
        Ok(())
    }

    fn is_ours(&self, mark: Option<&Mark>, run: Option<&RunId>) -> bool {
        mark.is_some_and(|mark| {
            mark.environment == self.environment.name && (run.is_none() || mark.run.as_ref() == run)
        })
    }
}

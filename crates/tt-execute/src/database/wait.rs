//! Waiting for RDS at a fixed interval, with a deadline.
//!
//! The SDK's own waiters sleep up to half an hour between two looks, and know only some of the states in which nothing more will come.

use std::time::Duration;

use tt_environment::{InstanceName, Minutes, Region, SnapshotName};
use tt_plan::database::{Instance, InstanceStatus, Snapshot, SnapshotStatus};

use super::{
    event::DatabaseEvent,
    executor::DatabaseExecutor,
    halt::DatabaseHalt,
    ports::{Backups, Database},
};
use crate::{
    ports::{Clock, PortError},
    wait::with_cause,
};

/// A look at something.
enum Look<T> {
    /// It is what was waited for.
    There(T),
    /// RDS works on it.
    Working { status: String, percent: Option<u8> },
    /// Nothing more will come.
    Broken { status: String },
    /// There is no such thing.
    Gone,
}

/// What AWS has been asked to make may not be shown at once.
const SHOWN_AFTER_LOOKS: u32 = 8;

impl<B: Backups, D: Database, K: Clock> DatabaseExecutor<'_, B, D, K> {
    pub(crate) async fn snapshot_available(
        &self,
        region: &Region,
        snapshot: &SnapshotName,
    ) -> Result<Snapshot, DatabaseHalt> {
        let look = async || {
            let found = self.backups.snapshot(region, snapshot).await?;
            Ok(found.map_or(Look::Gone, |found| match &found.status {
                SnapshotStatus::Available => Look::There(found),
                SnapshotStatus::Busy(status) => Look::Working {
                    status: status.clone(),
                    percent: Some(found.percent),
                },
                SnapshotStatus::Broken(_) | SnapshotStatus::Deleting => Look::Broken {
                    status: found.status.to_string(),
                },
            }))
        };
        self.until(&format!("snapshot `{snapshot}`"), look).await
    }

    pub(crate) async fn instance_available(&self, instance: &InstanceName) -> Result<Instance, DatabaseHalt> {
        let look = async || {
            let found = self.backups.instance(instance).await?;
            Ok(found.map_or(Look::Gone, |found| match &found.status {
                InstanceStatus::Available if found.endpoint.is_some() => Look::There(found),
                InstanceStatus::Available | InstanceStatus::Busy(_) => Look::Working {
                    status: found.status.to_string(),
                    percent: found.percent,
                },
                InstanceStatus::Broken(_) | InstanceStatus::Deleting => Look::Broken {
                    status: found.status.to_string(),
                },
            }))
        };
        self.until(&format!("database instance `{instance}`"), look).await
    }

    async fn until<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> Result<Look<T>, PortError>,
    ) -> Result<T, DatabaseHalt> {
        let (began, limit) = (self.clock.now(), self.limit());
        let mut looks = 0;
        loop {
            let waited = Duration::try_from(self.clock.now() - began).unwrap_or_default();
            looks += 1;
            match look().await {
                Ok(Look::There(found)) => return Ok(found),
                Ok(Look::Broken { status }) => {
                    return Err(DatabaseHalt::Broken {
                        what: what.to_owned(),
                        status,
                    });
                }
                Ok(Look::Gone) if looks > SHOWN_AFTER_LOOKS => {
                    return Err(DatabaseHalt::Gone { what: what.to_owned() });
                }
                Ok(Look::Gone) => {}
                Ok(Look::Working { status, percent }) => (self.emit)(DatabaseEvent::Working {
                    what: what.to_owned(),
                    status,
                    percent,
                    waited,
                    at_most: limit,
                }),
                Err(error) if error.kind.passes() => (self.emit)(DatabaseEvent::Retrying {
                    what: with_cause(&error),
                }),
                Err(error) => return Err(error.into()),
            }
            if waited >= limit {
                return Err(DatabaseHalt::TimedOut {
                    what: what.to_owned(),
                    limit,
                });
            }
            self.clock.sleep(self.interval()).await;
        }
    }

    /// How often to look: every fifteen seconds of an AWS minute, never in a busy loop.
    pub(crate) fn interval(&self) -> Duration {
        (self.environment.aws.minute / 4).max(Duration::from_millis(100))
    }

    /// Six hours of AWS's minutes, which is a restore of some terabytes; never less than five real minutes, because processes start no
    /// faster on a sandbox.
    pub(crate) fn limit(&self) -> Duration {
        Minutes::new(6 * 60)
            .lasting(self.environment.aws.minute)
            .max(Duration::from_mins(5))
    }
}

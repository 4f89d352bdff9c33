//! Every backup there is: snapshots, and per instance the base backups and the log from which a point in time is restored.
//!
//! Plain data and AWS's rules between them; what is on disk belongs to `backup`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::error::RdsError;
use super::instance::Instance;
use super::snapshot::{Kind, Snapshot, SnapshotStatus};
use super::window::{self, Window};

/// Amazon RDS User Guide, "Quotas in Amazon RDS": manual DB instance snapshots per Region.
const MANUAL_SNAPSHOTS: usize = 100;

/// The backups of all Regions.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Vault {
    /// By Region and identifier.
    pub(super) snapshots: BTreeMap<String, BTreeMap<String, Snapshot>>,
    /// By Region and `ab-…`. Several may stand for one instance: its own and its replicas elsewhere.
    pub(super) automated: BTreeMap<String, BTreeMap<String, Automated>>,
    /// By the resource id of the instance.
    pub(super) logs: BTreeMap<String, Log>,
    pub(super) quota: Quota,
}

/// How many manual snapshots a Region may have.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Quota {
    pub(super) manual_snapshots: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            manual_snapshots: MANUAL_SNAPSHOTS,
        }
    }
}

/// What restores an instance to a point in time: base backups, and its log in a folder of its resource id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Log {
    /// In the order of their time.
    pub(super) bases: Vec<Base>,
    /// Up to here it is saved.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) latest: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Base {
    /// The name of its folder.
    pub(super) files: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) consistent: OffsetDateTime,
}

/// The automated backups of one instance in one Region.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Automated {
    /// The instance as it was when this began.
    pub(super) of: Instance,
    /// Where the instance is or was.
    pub(super) source_region: String,
    pub(super) retention_days: u8,
    pub(super) state: AutomatedState,
    pub(super) kms_key: Option<String>,
}

/// Amazon RDS User Guide, "Retaining automated backups" and "Replicating automated backups to another AWS Region".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum AutomatedState {
    /// The instance's own.
    Active,
    /// A copy elsewhere that follows.
    Replicating,
    /// The instance is gone or the replication ended: nothing after this moment.
    Retained {
        #[serde(with = "time::serde::rfc3339")]
        until: OffsetDateTime,
    },
}

impl AutomatedState {
    /// As the API writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Replicating => "replicating",
            Self::Retained { .. } => "retained",
        }
    }
}

impl Vault {
    /// Records a snapshot that is about to be made.
    pub(super) fn add(&mut self, region: &str, snapshot: Snapshot) -> Result<(), RdsError> {
        let snapshots = self.snapshots.entry(region.to_owned()).or_default();
        if snapshots.contains_key(&snapshot.identifier) {
            return Err(RdsError::SnapshotExists(snapshot.identifier));
        }
        if snapshot.kind == Kind::Manual && manual(snapshots) >= self.quota.manual_snapshots {
            return Err(RdsError::SnapshotQuota {
                most: self.quota.manual_snapshots,
            });
        }
        snapshots.insert(snapshot.identifier.clone(), snapshot);
        Ok(())
    }

    pub(super) fn manual_snapshots(&self, region: &str) -> usize {
        self.snapshots.get(region).map_or(0, manual)
    }

    pub(super) fn snapshot(&self, region: &str, identifier: &str) -> Result<&Snapshot, RdsError> {
        let snapshots = self.snapshots.get(region);
        snapshots
            .and_then(|snapshots| snapshots.get(identifier))
            .ok_or_else(|| RdsError::SnapshotNotFound(identifier.to_owned()))
    }

    pub(super) fn snapshot_mut(&mut self, region: &str, identifier: &str) -> Option<&mut Snapshot> {
        self.snapshots.get_mut(region)?.get_mut(identifier)
    }

    /// A snapshot that can be restored or copied.
    pub(super) fn available(&self, region: &str, identifier: &str) -> Result<&Snapshot, RdsError> {
        let snapshot = self.snapshot(region, identifier)?;
        match snapshot.status {
            SnapshotStatus::Available { .. } => Ok(snapshot),
            SnapshotStatus::Creating { .. } | SnapshotStatus::Deleting | SnapshotStatus::Failed { .. } => {
                Err(RdsError::SnapshotState {
                    identifier: identifier.to_owned(),
                    status: snapshot.status.name(),
                    needed: "available",
                })
            }
        }
    }

    /// The snapshots that an earlier run did not finish.
    pub(super) fn fail_unfinished(&mut self, reason: &str) {
        for snapshots in self.snapshots.values_mut() {
            snapshots.retain(|_, snapshot| {
                let cut = matches!(snapshot.status, SnapshotStatus::Creating { .. });
                if cut {
                    snapshot.status = SnapshotStatus::Failed {
                        reason: reason.to_owned(),
                    };
                }
                // Nobody asked for an automated one, and a deleted one is as good as gone.
                !(cut && snapshot.kind == Kind::Automated) && snapshot.status != SnapshotStatus::Deleting
            });
        }
    }

    /// Whether a final snapshot or any other of this instance is being taken.
    pub(super) fn is_backed_up(&self, region: &str, resource_id: &str) -> bool {
        self.snapshots.get(region).is_some_and(|snapshots| {
            snapshots.values().any(|snapshot| {
                snapshot.of.resource_id == resource_id && matches!(snapshot.status, SnapshotStatus::Creating { .. })
            })
        })
    }

    /// The backups of a living instance in its own Region.
    pub(super) fn active(&self, region: &str, resource_id: &str) -> Option<&Automated> {
        self.automated
            .get(region)?
            .values()
            .find(|automated| automated.of.resource_id == resource_id && automated.state == AutomatedState::Active)
    }

    /// From when to when an instance can be restored from these backups.
    pub(super) fn window(&self, automated: &Automated, now: OffsetDateTime, day: Duration) -> Option<Window> {
        let log = self.logs.get(&automated.of.resource_id)?;
        let latest = match automated.state {
            AutomatedState::Active | AutomatedState::Replicating => log.latest,
            AutomatedState::Retained { until } => log.latest.map(|latest| latest.min(until)),
        };
        Window::of(&log.times(), latest, now, days(day, automated.retention_days))
    }

    /// Deletes what no retention period covers any more.
    pub(super) fn expire(&mut self, now: OffsetDateTime, day: Duration) {
        for backups in self.automated.values_mut() {
            backups.retain(|_, automated| match automated.state {
                AutomatedState::Active | AutomatedState::Replicating => true,
                AutomatedState::Retained { until } => now - until < days(day, automated.retention_days),
            });
        }
        let mut longest: BTreeMap<&str, u8> = BTreeMap::new();
        for automated in self.automated.values().flat_map(BTreeMap::values) {
            let days = longest.entry(&automated.of.resource_id).or_default();
            *days = (*days).max(automated.retention_days);
        }
        self.logs.retain(|resource, log| {
            longest.get(resource.as_str()).is_some_and(|days| {
                let gone = window::expired(&log.times(), now, self::days(day, *days));
                log.bases.drain(..gone);
                true
            })
        });
        let kept: BTreeSet<(&str, &str)> = self
            .automated
            .iter()
            .flat_map(|(region, backups)| {
                backups
                    .values()
                    .map(move |automated| (region.as_str(), automated.of.resource_id.as_str()))
            })
            .collect();
        let logs = &self.logs;
        for (region, snapshots) in &mut self.snapshots {
            snapshots.retain(|_, snapshot| {
                let resource = snapshot.of.resource_id.as_str();
                let is_base = || {
                    let log = logs.get(resource);
                    log.is_some_and(|log| log.bases.iter().any(|base| base.files == snapshot.files))
                };
                snapshot.kind == Kind::Manual
                    || matches!(snapshot.status, SnapshotStatus::Creating { .. })
                    || (kept.contains(&(region.as_str(), resource)) && is_base())
            });
        }
    }

    /// Ends an instance's own automated backups.
    pub(super) fn end(&mut self, region: &str, resource_id: &str, what: Leftover, now: OffsetDateTime) {
        let Some(backups) = self.automated.get_mut(region) else {
            return;
        };
        backups.retain(|_, automated| {
            if automated.of.resource_id != resource_id || automated.state != AutomatedState::Active {
                return true;
            }
            automated.state = AutomatedState::Retained { until: now };
            what == Leftover::Retained
        });
        // A replica of a deleted instance goes on for its own retention period.
        for automated in self.automated.values_mut().flat_map(BTreeMap::values_mut) {
            if automated.of.resource_id == resource_id && automated.state == AutomatedState::Replicating {
                automated.state = AutomatedState::Retained { until: now };
            }
        }
    }

    /// The folders that something here stands for: those of base backups, and those of logs.
    pub(super) fn folders(&self) -> (BTreeSet<&str>, BTreeSet<&str>) {
        let snapshots = || self.snapshots.values().flat_map(BTreeMap::values);
        let kept = snapshots().filter(|snapshot| !matches!(snapshot.status, SnapshotStatus::Failed { .. }));
        // What is being copied stays until that is done, even when it has been deleted meanwhile.
        let copied = snapshots()
            .filter(|snapshot| matches!(snapshot.status, SnapshotStatus::Creating { .. }))
            .filter_map(|copy| Some(copy.copy_of.as_ref()?.files.as_str()));
        let bases = self.logs.values().flat_map(|log| &log.bases);
        let files = kept.map(|snapshot| snapshot.files.as_str()).chain(copied);
        let files = files.chain(bases.map(|base| base.files.as_str())).collect();
        (files, self.logs.keys().map(String::as_str).collect())
    }
}

/// What becomes of the automated backups of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leftover {
    Deleted,
    Retained,
}

impl Log {
    /// From when on each base backup is consistent.
    pub(super) fn times(&self) -> Vec<OffsetDateTime> {
        self.bases.iter().map(|base| base.consistent).collect()
    }
}

/// A day may last long enough to overflow.
fn days(day: Duration, count: u8) -> Duration {
    day.checked_mul(i32::from(count)).unwrap_or(Duration::MAX)
}

fn manual(snapshots: &BTreeMap<String, Snapshot>) -> usize {
    snapshots
        .values()
        .filter(|snapshot| snapshot.kind == Kind::Manual)
        .count()
}

#[cfg(test)]
mod tests {
    use super::super::instance::InstanceSpec;
    use super::super::snapshot::Original;
    use super::*;

    const DAY: Duration = Duration::DAY;

    fn at(day: i32) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + DAY * day
    }

    fn instance() -> Instance {
        let spec = InstanceSpec::new("app", "app", "app", "correct-horse");
        Instance {
            resource_id: "db-1".to_owned(),
            ..Instance::new(&spec, "15.0".to_owned(), at(0))
        }
    }

    fn snapshot(identifier: &str, kind: Kind, day: i32) -> Snapshot {
        Snapshot {
            identifier: identifier.to_owned(),
            kind,
            files: format!("files-{identifier}"),
            of: instance(),
            region: "here".to_owned(),
            created: at(day),
            status: SnapshotStatus::Available { consistent: at(day) },
            tags: BTreeMap::new(),
            copy_of: None,
            kms_key: None,
        }
    }

    /// Automated backups of three days, kept for two, and a manual snapshot of the first.
    fn vault() -> Vault {
        let mut vault = Vault::default();
        vault.add("here", snapshot("kept", Kind::Manual, 1)).unwrap();
        for day in [1, 2, 3] {
            let automated = snapshot(&format!("rds:{day}"), Kind::Automated, day);
            let log = vault.logs.entry("db-1".to_owned()).or_default();
            log.bases.push(Base {
                files: automated.files.clone(),
                consistent: at(day),
            });
            log.latest = Some(at(day));
            vault.add("here", automated).unwrap();
        }
        let own = Automated {
            of: instance(),
            source_region: "here".to_owned(),
            retention_days: 2,
            state: AutomatedState::Active,
            kms_key: None,
        };
        let elsewhere = Automated {
            state: AutomatedState::Replicating,
            ..own.clone()
        };
        vault
            .automated
            .entry("here".to_owned())
            .or_default()
            .insert("ab-1".to_owned(), own);
        vault
            .automated
            .entry("there".to_owned())
            .or_default()
            .insert("ab-2".to_owned(), elsewhere);
        vault
    }

    fn names(vault: &Vault) -> Vec<&str> {
        vault.snapshots["here"].keys().map(String::as_str).collect()
    }

    #[test]
    fn backups_go_with_their_retention_and_manual_ones_stay() {
        let mut vault = vault();
        vault.expire(at(3), DAY);
        assert_eq!(names(&vault), ["kept", "rds:1", "rds:2", "rds:3"]);
        vault.expire(at(4), DAY);
        assert_eq!(names(&vault), ["kept", "rds:2", "rds:3"]);
        let window = vault.window(&vault.automated["here"]["ab-1"], at(4), DAY).unwrap();
        assert_eq!((window.earliest, window.latest), (at(2), at(3)));
        assert_eq!(
            vault.folders().0,
            BTreeSet::from(["files-kept", "files-rds:2", "files-rds:3"])
        );
    }

    #[test]
    fn what_is_being_copied_stays_until_the_copy_is_there() {
        let mut vault = vault();
        let original = snapshot("kept", Kind::Manual, 1);
        let mut copy = snapshot("copy", Kind::Manual, 2);
        copy.status = SnapshotStatus::Creating { percent: 0 };
        copy.copy_of = Some(Original {
            region: "here".to_owned(),
            arn: "arn".to_owned(),
            files: original.files.clone(),
            created: original.created,
        });
        vault.add("there", copy).unwrap();
        vault.snapshots.get_mut("here").unwrap().remove("kept");
        assert!(vault.folders().0.contains("files-kept"));
        let copy = vault.snapshot_mut("there", "copy").unwrap();
        copy.status = SnapshotStatus::Available { consistent: at(1) };
        assert!(!vault.folders().0.contains("files-kept"));
    }

    #[test]
    fn a_replica_outlives_the_backups_of_a_deleted_instance() {
        let mut vault = vault();
        vault.end("here", "db-1", Leftover::Deleted, at(4));
        vault.expire(at(4), DAY);
        assert_eq!(names(&vault), ["kept"], "the Region of the instance has none any more");
        let replica = vault.automated["there"]["ab-2"].clone();
        assert!(
            vault.window(&replica, at(4), DAY).is_some(),
            "but the other Region can restore"
        );
        vault.expire(at(7), DAY);
        assert!(vault.logs.is_empty(), "until the retention period is over");
        assert_eq!(vault.folders().0, BTreeSet::from(["files-kept"]));
    }

    #[test]
    fn retained_backups_end_where_the_instance_did() {
        let mut vault = vault();
        vault.end("here", "db-1", Leftover::Retained, at(2));
        let own = &vault.automated["here"]["ab-1"];
        assert_eq!(own.state.name(), "retained");
        assert_eq!(vault.window(own, at(3), DAY).unwrap().latest, at(2));
    }

    #[test]
    fn the_quota_counts_manual_snapshots_only() {
        let mut vault = vault();
        vault.quota.manual_snapshots = 2;
        vault.add("here", snapshot("second", Kind::Manual, 1)).unwrap();
        let third = vault.add("here", snapshot("third", Kind::Manual, 1));
        assert!(matches!(third, Err(RdsError::SnapshotQuota { most: 2 })));
        vault.add("there", snapshot("third", Kind::Manual, 1)).unwrap();
        vault.add("here", snapshot("rds:4", Kind::Automated, 4)).unwrap();
        let again = vault.add("here", snapshot("second", Kind::Automated, 1));
        assert!(matches!(again, Err(RdsError::SnapshotExists(_))));
    }

    #[test]
    fn what_a_killed_sandbox_was_doing_has_failed() {
        let mut vault = vault();
        for (name, kind) in [("mine", Kind::Manual), ("rds:4", Kind::Automated)] {
            let cut = Snapshot {
                status: SnapshotStatus::Creating { percent: 10 },
                ..snapshot(name, kind, 4)
            };
            vault.add("here", cut).unwrap();
        }
        assert!(vault.is_backed_up("here", "db-1"));
        vault.fail_unfinished("the sandbox ended");
        assert!(!vault.is_backed_up("here", "db-1"));
        assert_eq!(vault.snapshot("here", "mine").unwrap().status.name(), "failed");
        assert!(matches!(
            vault.snapshot("here", "rds:4"),
            Err(RdsError::SnapshotNotFound(_))
        ));
        assert!(matches!(
            vault.available("here", "mine"),
            Err(RdsError::SnapshotState { .. })
        ));
    }
}

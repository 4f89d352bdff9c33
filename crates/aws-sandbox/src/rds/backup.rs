//! Backups with their effects: base backups of running servers, copies, the log that is saved all along, and the end of what
//! nobody needs any more. What there is and what may go is decided in `vault`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::task::JoinHandle;

use super::error::RdsError;
use super::instance::{Instance, unique_id};
use super::postgres::{copy_base, create_folder};
use super::settings::Settings;
use super::snapshot::{self, Kind, Original, Snapshot, SnapshotStatus};
use super::status::Status;
use super::vault::{Automated, AutomatedState, Base, Leftover, Vault};
use super::{InstanceId, Rds, files, pace};
use crate::clock;

/// Between two looks at how far something is.
const TICK: Duration = Duration::from_millis(50);

impl Rds {
    /// Records a snapshot of a running instance and begins to take it.
    pub(super) fn take(self: &Arc<Self>, id: &InstanceId, snapshot: Snapshot) -> Result<(), RdsError> {
        self.set_status_if(id, &Status::Available, Status::BackingUp)?;
        let begun = self.begin(id, snapshot).map(drop);
        if begun.is_err() {
            self.settle(id, &Status::BackingUp);
        }
        begun
    }

    /// The same for an instance that has the right status already. What is given back ends with the snapshot.
    pub(super) fn begin(self: &Arc<Self>, id: &InstanceId, snapshot: Snapshot) -> Result<JoinHandle<()>, RdsError> {
        let name = snapshot.identifier.clone();
        let files = snapshot.files.clone();
        self.vault.write(|vault| vault.add(&id.0, snapshot))?;
        let (rds, id) = (Arc::clone(self), id.clone());
        let taking = tokio::spawn(async move {
            let began = Instant::now();
            let taken = rds.copy_server(&id, &name, &files, began).await;
            let moment = clock::now();
            rds.pace(&id.0, &name, began).await;
            rds.finish(&id.0, &name, taken.map(|()| moment));
            rds.settle(&id, &Status::BackingUp);
        });
        Ok(taking)
    }

    /// Copies a snapshot, perhaps from another Region.
    pub(super) fn copy(
        self: &Arc<Self>,
        region: &str,
        copy: Snapshot,
        from: String,
        moment: OffsetDateTime,
    ) -> Result<(), RdsError> {
        let (name, files) = (copy.identifier.clone(), copy.files.clone());
        self.vault.write(|vault| vault.add(region, copy))?;
        let (rds, region) = (Arc::clone(self), region.to_owned());
        tokio::spawn(async move {
            let began = Instant::now();
            let (from, to) = (rds.base_folder(&from), rds.base_folder(&files));
            let copied = match rds.programs() {
                Ok(programs) => copy_base(&programs, &from, &to).await,
                Err(error) => Err(error),
            };
            rds.pace(&region, &name, began).await;
            rds.finish(&region, &name, copied.map(|()| moment));
        });
        Ok(())
    }

    /// Deletes a manual snapshot; it shows that it goes before it is gone.
    pub(super) fn delete_snapshot(self: &Arc<Self>, region: &str, identifier: &str) {
        let (rds, region, identifier) = (Arc::clone(self), region.to_owned(), identifier.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(rds.clock.minutes(pace::DELETION_MINUTES)).await;
            rds.vault.write(|vault| {
                if let Some(snapshots) = vault.snapshots.get_mut(&region) {
                    snapshots.remove(&identifier);
                }
            });
            rds.changes.send_replace(());
            rds.sweep();
        });
    }

    /// Takes automated snapshots and saves the log while the instance asks for it. Runs until dropped.
    pub(super) async fn back_up_forever(self: &Arc<Self>, id: &InstanceId) {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(instance) = self
                .instance(id)
                .filter(|instance| instance.settings.backup_retention_days > 0)
            {
                if self.is_due(&instance) {
                    self.take_automated(id, &instance);
                }
                if let Err(error) = self.save_log(id, &instance).await {
                    let reason = crate::front::chain(&error);
                    tracing::warn!(instance = %id.1, %reason, "the log of the database could not be saved");
                }
                self.vault.write(|vault| vault.expire(clock::now(), self.day()));
                self.sweep();
            }
            let next = tokio::time::sleep(self.clock.minutes(pace::LOG_MINUTES).max(TICK));
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    // A first snapshot wants the log behind it soon; so does an instance that has just been told to keep backups.
                    _ = changes.changed() => if self.wants_log(id) { break },
                }
            }
        }
    }

    /// Whether an automated snapshot must be taken before the instance is available: the first, or today's.
    pub(super) fn is_due(&self, instance: &Instance) -> bool {
        if instance.settings.backup_retention_days == 0 {
            return false;
        }
        let newest = self.vault.read(|vault| {
            let log = vault.logs.get(&instance.resource_id)?;
            Some(log.bases.last()?.consistent)
        });
        newest.is_none_or(|newest| clock::now() - newest >= self.day())
    }

    /// Lists an instance that keeps backups with them, and makes the folder for its log before its server asks for it.
    pub(super) fn prepare_log(&self, id: &InstanceId) {
        let Some(instance) = self
            .instance(id)
            .filter(|instance| instance.settings.backup_retention_days > 0)
        else {
            return;
        };
        self.vault.write(|vault| vault.enable(&id.0, &instance));
        let folder = self.log_folder(&instance.resource_id);
        if !folder.exists()
            && let Ok(programs) = self.programs()
            && let Err(error) = create_folder(&folder, &programs.identity)
        {
            tracing::error!(reason = %crate::front::chain(&error), "no folder for the log of the database");
        }
    }

    /// Ends the automated backups of an instance that goes or wants none any more.
    pub(super) fn end_automated(&self, id: &InstanceId, instance: &Instance, leftover: Leftover) {
        self.vault.write(|vault| {
            let now = clock::now();
            vault.end(&id.0, &instance.resource_id, leftover, now);
            vault.expire(now, self.day());
        });
        self.sweep();
    }

    /// A virtual day.
    pub(super) fn day(&self) -> time::Duration {
        let day = self.clock.minutes(pace::DAY_MINUTES);
        time::Duration::try_from(day).unwrap_or(time::Duration::MAX)
    }

    /// A record of a snapshot that is about to be taken.
    pub(super) fn draft(region: &str, instance: &Instance, identifier: String, kind: Kind) -> Snapshot {
        Snapshot {
            identifier,
            kind,
            files: unique_id("base"),
            of: instance.clone(),
            region: region.to_owned(),
            created: clock::now(),
            status: SnapshotStatus::Creating { percent: 0 },
            tags: if instance.settings.copy_tags_to_snapshot {
                instance.tags.clone()
            } else {
                std::collections::BTreeMap::new()
            },
            copy_of: None,
            kms_key: instance.settings.kms_key.clone(),
        }
    }

    /// A record of a copy that is about to be made of a snapshot.
    pub(super) fn draft_copy(original: &Snapshot, region: &str, arn: String, identifier: String) -> Snapshot {
        Snapshot {
            identifier,
            kind: Kind::Manual,
            files: unique_id("base"),
            created: clock::now(),
            status: SnapshotStatus::Creating { percent: 0 },
            copy_of: Some(Original {
                region: region.to_owned(),
                arn,
                files: original.files.clone(),
                created: original.created,
            }),
            ..original.clone()
        }
    }

    /// Removes the folders that nothing stands for: of expired and deleted backups, and of copies that were cut short.
    pub(super) fn sweep(&self) {
        let in_restore = self.instances.read(|regions| {
            let instances = regions.values().flat_map(std::collections::BTreeMap::values);
            let restoring = instances.filter(|instance| instance.status == Status::Creating);
            restoring
                .filter_map(|instance| instance.restored_from.clone())
                .collect::<Vec<_>>()
        });
        let gone: Vec<PathBuf> = self.vault.read(|vault| {
            let (mut bases, mut logs) = vault.folders();
            bases.extend(in_restore.iter().map(|from| from.files.as_str()));
            logs.extend(
                in_restore
                    .iter()
                    .filter_map(|from| Some(from.replay.as_ref()?.log.as_str())),
            );
            let unknown = |folder: PathBuf, known: std::collections::BTreeSet<&str>| {
                let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
                let entries =
                    entries.filter(move |entry| !entry.file_name().to_str().is_some_and(|name| known.contains(name)));
                entries.map(|entry| entry.path()).collect::<Vec<_>>()
            };
            let mut gone = unknown(self.bases(), bases);
            gone.extend(unknown(self.logs(), logs));
            // Under the lock, so that no backup can begin in a folder that is about to go; afterwards it is out of reach.
            gone.into_iter().filter_map(|path| self.put_aside(&path)).collect()
        });
        for folder in gone {
            tokio::task::spawn_blocking(move || files::remove(&folder));
        }
    }

    fn put_aside(&self, path: &std::path::Path) -> Option<PathBuf> {
        let aside = self.folder.join("trash").join(path.file_name()?);
        std::fs::rename(path, &aside).ok()?;
        Some(aside)
    }

    async fn copy_server(&self, id: &InstanceId, name: &str, files: &str, began: Instant) -> Result<(), RdsError> {
        let cluster = self.cluster(id)?;
        let at_least = self.clock.minutes(pace::BACKUP_MINUTES);
        let progress = |real| self.set_percent(&id.0, name, pace::shown(real, began.elapsed(), at_least));
        cluster.back_up(&self.base_folder(files), progress).await
    }

    /// Lets the rest of the least time pass.
    async fn pace(&self, region: &str, name: &str, began: Instant) {
        let at_least = self.clock.minutes(pace::BACKUP_MINUTES);
        while let Some(left) = at_least.checked_sub(began.elapsed()).filter(|left| !left.is_zero()) {
            self.set_percent(region, name, pace::shown(100, began.elapsed(), at_least));
            tokio::time::sleep(left.min(TICK)).await;
        }
    }

    fn set_percent(&self, region: &str, name: &str, percent: u8) {
        self.vault.write(|vault| {
            if let Some(Snapshot {
                status: SnapshotStatus::Creating { percent: shown },
                ..
            }) = vault.snapshot_mut(region, name)
            {
                *shown = (*shown).max(percent);
            }
        });
    }

    fn finish(&self, region: &str, name: &str, outcome: Result<OffsetDateTime, RdsError>) {
        self.vault.write(|vault| match outcome {
            Ok(consistent) => vault.complete(region, name, consistent),
            Err(error) => {
                let reason = crate::front::chain(&error);
                tracing::error!(snapshot = %name, %reason, "the snapshot failed");
                vault.fail(region, name, reason);
            }
        });
        self.sweep();
        self.changes.send_replace(());
    }

    fn take_automated(self: &Arc<Self>, id: &InstanceId, instance: &Instance) {
        if self.set_status_if(id, &Status::Available, Status::BackingUp).is_err()
            && self
                .instance(id)
                .is_none_or(|instance| instance.status != Status::BackingUp)
        {
            return;
        }
        if self
            .vault
            .read(|vault| vault.is_backed_up(&id.0, &instance.resource_id))
        {
            return;
        }
        let name = self.vault.read(|vault| {
            let is_taken = |name: &str| vault.snapshot(&id.0, name).is_ok();
            snapshot::automated_identifier(&instance.identifier, clock::now(), is_taken)
        });
        let draft = Self::draft(&id.0, instance, name, Kind::Automated);
        if let Err(error) = self.begin(id, draft) {
            tracing::warn!(instance = %id.1, %error, "no automated snapshot");
            self.settle(id, &Status::BackingUp);
        }
    }

    async fn save_log(&self, id: &InstanceId, instance: &Instance) -> Result<(), RdsError> {
        let moment = clock::now();
        self.cluster(id)?
            .save_log(&self.log_folder(&instance.resource_id))
            .await?;
        self.vault.write(|vault| {
            if let Some(log) = vault.logs.get_mut(&instance.resource_id) {
                log.latest = Some(moment);
            }
        });
        Ok(())
    }

    /// Whether the newest base backup has no saved log behind it yet, or the first is still to come.
    fn wants_log(&self, id: &InstanceId) -> bool {
        let Some(instance) = self
            .instance(id)
            .filter(|instance| instance.settings.backup_retention_days > 0)
        else {
            return false;
        };
        self.vault.read(|vault| match vault.logs.get(&instance.resource_id) {
            None => true,
            Some(log) => log
                .bases
                .last()
                .is_some_and(|base| log.latest.is_none_or(|latest| latest < base.consistent)),
        })
    }
}

impl Vault {
    fn complete(&mut self, region: &str, name: &str, consistent: OffsetDateTime) {
        let Some(snapshot) = self.snapshot_mut(region, name) else {
            return;
        };
        snapshot.status = SnapshotStatus::Available { consistent };
        if snapshot.kind == Kind::Automated {
            let base = Base {
                files: snapshot.files.clone(),
                consistent,
            };
            let resource = snapshot.of.resource_id.clone();
            self.logs.entry(resource).or_default().bases.push(base);
        }
    }

    fn fail(&mut self, region: &str, name: &str, reason: String) {
        if let Some(snapshots) = self.snapshots.get_mut(region) {
            match snapshots.get_mut(name) {
                Some(snapshot) if snapshot.kind == Kind::Manual => snapshot.status = SnapshotStatus::Failed { reason },
                Some(_) => drop(snapshots.remove(name)),
                None => {}
            }
        }
    }

    /// Makes sure that an instance which wants automated backups is listed with them as it is now.
    fn enable(&mut self, region: &str, instance: &Instance) {
        self.logs.entry(instance.resource_id.clone()).or_default();
        let backups = self.automated.entry(region.to_owned()).or_default();
        let Settings {
            backup_retention_days,
            kms_key,
            ..
        } = &instance.settings;
        let own = backups
            .values_mut()
            .find(|automated| automated.of.resource_id == instance.resource_id);
        if let Some(own) = own {
            own.retention_days = *backup_retention_days;
            own.of = instance.clone();
            return;
        }
        let automated = Automated {
            of: instance.clone(),
            source_region: region.to_owned(),
            retention_days: *backup_retention_days,
            state: AutomatedState::Active,
            kms_key: kms_key.clone(),
        };
        backups.insert(unique_id("ab").to_ascii_lowercase(), automated);
    }
}

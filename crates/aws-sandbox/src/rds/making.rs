//! How an instance comes to be: recorded first, then made out of nothing or out of a backup, then given to its keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use time::OffsetDateTime;

use super::config::Archiving;
use super::groups::GroupKind;
use super::installation::Installation;
use super::instance::Instance;
use super::keeper::Wanted;
use super::postgres::Cluster;
use super::settings::Settings;
use super::status::Status;
use super::{Endpoint, InstanceId, InstanceSpec, Rds, RdsError, files, pace};

/// Whether an instance had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    New,
    There,
}

/// What a new instance is made of.
pub(super) enum Origin {
    Nothing(Box<InstanceSpec>),
    /// As it says itself.
    Backup,
}

impl Rds {
    /// Creates an instance and waits until it is available. One that is there already gets this password.
    pub(crate) async fn create(self: &Arc<Self>, region: &str, spec: InstanceSpec) -> Result<Endpoint, RdsError> {
        let id = (region.to_owned(), spec.identifier.clone());
        let found = match self.launch_new(region, spec.clone()) {
            Ok(_) => Found::New,
            Err(RdsError::AlreadyExists(_)) => Found::There,
            Err(error) => return Err(error),
        };
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            match self
                .instance(&id)
                .map(|instance| (self.endpoint(&instance), instance.status))
            {
                None => return Err(RdsError::NotFound(id.1)),
                Some((endpoint, status)) if status.serves() => {
                    if found == Found::There {
                        self.set_password(&id, &spec.password).await?;
                    }
                    return Ok(endpoint);
                }
                Some((_, Status::Failed { reason })) => {
                    return Err(RdsError::Failed {
                        identifier: id.1,
                        reason,
                    });
                }
                Some(_) => {
                    // The sender lives as long as this service.
                    changes.changed().await.unwrap_or_default();
                }
            }
        }
    }

    /// Records an instance that nobody had before and starts to make it.
    pub(super) fn launch_new(self: &Arc<Self>, region: &str, spec: InstanceSpec) -> Result<Instance, RdsError> {
        spec.check()?;
        self.check_groups(region, &spec.settings)?;
        let version = Installation::find()?.version;
        let instance = Instance::new(&spec, version, OffsetDateTime::now_utc());
        self.launch(region, instance, Origin::Nothing(Box::new(spec)))
    }

    /// Gives a new instance an address, records it and starts to make it.
    pub(super) fn launch(
        self: &Arc<Self>,
        region: &str,
        mut instance: Instance,
        origin: Origin,
    ) -> Result<Instance, RdsError> {
        let id = (region.to_owned(), instance.identifier.clone());
        self.instances.write(|regions| {
            let taken: BTreeSet<u8> = regions
                .values()
                .flat_map(BTreeMap::values)
                .map(|instance| instance.slot)
                .collect();
            instance.slot = (1..=254).find(|slot| !taken.contains(slot)).ok_or(RdsError::TooMany)?;
            let instances = regions.entry(region.to_owned()).or_default();
            if instances.contains_key(&instance.identifier) {
                return Err(RdsError::AlreadyExists(instance.identifier.clone()));
            }
            instances.insert(instance.identifier.clone(), instance.clone());
            Ok(())
        })?;
        self.bring_up(id, origin);
        Ok(instance)
    }

    /// Makes a recorded instance and lets it serve.
    pub(super) fn bring_up(self: &Arc<Self>, id: InstanceId, origin: Origin) {
        let rds = Arc::clone(self);
        tokio::spawn(async move {
            let began = Instant::now();
            match rds.make(&id, &origin).await {
                Ok(()) => {
                    if let Origin::Backup = origin {
                        pace::at_least(rds.clock, pace::BACKUP_MINUTES, began).await;
                    }
                    rds.keep(id, Wanted::Running);
                }
                Err(error) => {
                    let reason = crate::front::chain(&error);
                    tracing::error!(instance = %id.1, %reason, "the database instance could not be created");
                    rds.set_status(&id, Status::Failed { reason });
                }
            }
        });
    }

    pub(super) async fn make(&self, id: &InstanceId, origin: &Origin) -> Result<(), RdsError> {
        let instance = self.instance(id).ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
        let cluster = Cluster {
            // Its log is of no use to anybody before it has a backup to follow.
            archiving: Archiving::Off,
            ..self.cluster(id)?
        };
        let made = match (origin, &instance.restored_from) {
            (Origin::Nothing(spec), _) => cluster.make(spec).await,
            (Origin::Backup, Some(from)) => {
                let base = self.base_folder(&from.files);
                cluster.restore(&base, from.replay.as_ref()).await
            }
            (Origin::Backup, None) => Err(RdsError::Restore(format!("{} has no backup to restore", id.1))),
        };
        if made.is_err() {
            files::remove(&cluster.folder);
        }
        made
    }

    /// Refuses groups that are not there.
    pub(super) fn check_groups(&self, region: &str, settings: &Settings) -> Result<(), RdsError> {
        self.groups.write(|regions| {
            let groups = regions.entry(region.to_owned()).or_default();
            groups.check(GroupKind::Subnet, &settings.subnet_group)?;
            match &settings.parameter_group {
                Some(name) => groups.check(GroupKind::Parameter, name),
                None => Ok(()),
            }
        })
    }
}

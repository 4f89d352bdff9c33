//! What is recorded about instances, and telling those who wait for a change.

use super::instance::Instance;
use super::status::Status;
use super::{InstanceId, Rds, RdsError};

impl Rds {
    pub(super) fn instance(&self, (region, identifier): &InstanceId) -> Option<Instance> {
        self.instances
            .read(|regions| regions.get(region)?.get(identifier).cloned())
    }

    pub(super) fn list_instances(&self) -> Vec<(InstanceId, Instance)> {
        self.instances.read(|regions| {
            let all = regions
                .iter()
                .flat_map(|(region, all)| all.values().map(move |instance| (region, instance)));
            all.map(|(region, instance)| ((region.clone(), instance.identifier.clone()), instance.clone()))
                .collect()
        })
    }

    /// Changes what is kept about an instance, if there is one.
    pub(super) fn change(&self, (region, identifier): &InstanceId, change: impl FnOnce(&mut Instance)) {
        self.instances.write(|regions| {
            let instance = regions
                .get_mut(region)
                .and_then(|instances| instances.get_mut(identifier));
            if let Some(instance) = instance {
                change(instance);
            }
        });
    }

    /// Changes the status if it is the needed one.
    pub(super) fn set_status_if(
        &self,
        (region, identifier): &InstanceId,
        needed: &Status,
        next: Status,
    ) -> Result<(), RdsError> {
        self.instances.write(|regions| {
            let instance = regions
                .get_mut(region)
                .and_then(|instances| instances.get_mut(identifier))
                .ok_or_else(|| RdsError::NotFound(identifier.clone()))?;
            if instance.status != *needed {
                return Err(RdsError::WrongState {
                    identifier: identifier.clone(),
                    status: instance.status.name(),
                    needed: needed.name(),
                });
            }
            instance.status = next;
            Ok(())
        })?;
        self.changes.send_replace(());
        Ok(())
    }

    /// Makes an instance available again, unless something else has happened to it.
    pub(super) fn settle(&self, id: &InstanceId, from: &Status) {
        if let Err(error) = self.set_status_if(id, from, Status::Available) {
            tracing::debug!(%error, "the instance is in another state by now");
        }
    }

    pub(super) fn set_status(&self, (region, identifier): &InstanceId, status: Status) {
        self.instances.write(|regions| {
            if let Some(instance) = regions
                .get_mut(region)
                .and_then(|instances| instances.get_mut(identifier))
            {
                tracing::info!(instance = %identifier, status = status.name(), "database instance");
                instance.status = status;
            }
        });
        self.changes.send_replace(());
    }

    pub(super) fn forget(&self, (region, identifier): &InstanceId) {
        self.instances.write(|regions| {
            if let Some(instances) = regions.get_mut(region) {
                instances.remove(identifier);
            }
        });
        self.changes.send_replace(());
    }
}

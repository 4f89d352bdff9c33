//! The executor's [`Backups`] on a real endpoint.

use aws_smithy_types::DateTime;
use time::OffsetDateTime;
use tt_environment::{Environment, InstanceName, KmsKey, Region, SnapshotName};
use tt_execute::{PortError, database::Backups};
use tt_plan::{
    Arn,
    database::{DatabaseObserved, DrillRecord, Encryption, Instance, Mark, RestoreFrom, RestoreSettings, Snapshot},
};

use super::{instance, observe, presign, snapshot, tags};
use crate::{
    clients::Clients,
    error::{failed, not_found},
    records::S3Journal,
};

/// An environment's database instance and its backups.
#[derive(Debug)]
pub struct AwsBackups<'a> {
    clients: &'a Clients,
    environment: &'a Environment,
    journal: &'a S3Journal,
}

impl<'a> AwsBackups<'a> {
    /// Makes no call yet.
    pub fn new(clients: &'a Clients, environment: &'a Environment, journal: &'a S3Journal) -> Self {
        Self {
            clients,
            environment,
            journal,
        }
    }

    /// Reads everything that a plan stands on.
    pub async fn observe(&self) -> Result<DatabaseObserved, PortError> {
        // Seven reads side by side: boxed, so that not every caller carries the future on its stack.
        Box::pin(observe::observe(self.clients, self.environment, self.journal)).await
    }

    fn rds(&self, region: &Region) -> aws_sdk_rds::Client {
        if *region == self.environment.aws.region {
            self.clients.rds.clone()
        } else {
            self.clients.rds_in(region)
        }
    }
}

impl Backups for AwsBackups<'_> {
    async fn take_snapshot(
        &self,
        instance: &InstanceName,
        snapshot: &SnapshotName,
        mark: &Mark,
    ) -> Result<(), PortError> {
        self.clients
            .rds
            .create_db_snapshot()
            .db_instance_identifier(instance.as_str())
            .db_snapshot_identifier(snapshot.as_str())
            .set_tags(Some(tags::sdk(mark)))
            .send()
            .await
            .map_err(failed(format!(
                "take snapshot `{snapshot}` of database instance `{instance}`"
            )))?;
        Ok(())
    }

    async fn snapshot(&self, region: &Region, snapshot: &SnapshotName) -> Result<Option<Snapshot>, PortError> {
        snapshot::find(&self.rds(region), snapshot).await
    }

    async fn copy_snapshot(
        &self,
        snapshot: &Snapshot,
        to: &Region,
        kms_key: Option<&KmsKey>,
        mark: &Mark,
    ) -> Result<(), PortError> {
        let name = &snapshot.name;
        let leave = match &snapshot.encryption {
            Encryption::Plain => None,
            Encryption::Kms(_) => {
                let source = ("SourceDBSnapshotIdentifier", snapshot.arn.as_str());
                Some(self.leave("CopyDBSnapshot", source, to, kms_key).await?)
            }
        };
        self.clients
            .rds_in(to)
            .copy_db_snapshot()
            .source_db_snapshot_identifier(snapshot.arn.as_str())
            .target_db_snapshot_identifier(name.as_str())
            .set_kms_key_id(kms_key.map(ToString::to_string))
            .set_pre_signed_url(leave)
            .copy_tags(false)
            .set_tags(Some(tags::sdk(mark)))
            .send()
            .await
            .map_err(failed(format!("copy snapshot `{name}` to {to}")))?;
        Ok(())
    }

    async fn replicate(
        &self,
        instance: &Arn,
        to: &Region,
        kms_key: Option<&KmsKey>,
        retention_days: u32,
    ) -> Result<(), PortError> {
        // With a key over there the backups are encrypted here as well.
        let leave = if kms_key.is_some() {
            let source = ("SourceDBInstanceArn", instance.as_str());
            let action = "StartDBInstanceAutomatedBackupsReplication";
            Some(self.leave(action, source, to, kms_key).await?)
        } else {
            None
        };
        self.clients
            .rds_in(to)
            .start_db_instance_automated_backups_replication()
            .source_db_instance_arn(instance.as_str())
            .backup_retention_period(i32::try_from(retention_days).unwrap_or(i32::MAX))
            .set_kms_key_id(kms_key.map(ToString::to_string))
            .set_pre_signed_url(leave)
            .send()
            .await
            .map_err(failed(format!(
                "replicate the automated backups of {} to {to}",
                instance.short()
            )))?;
        Ok(())
    }

    async fn delete_snapshot(&self, region: &Region, snapshot: &SnapshotName) -> Result<(), PortError> {
        self.rds(region)
            .delete_db_snapshot()
            .db_snapshot_identifier(snapshot.as_str())
            .send()
            .await
            .map_err(failed(format!("delete snapshot `{snapshot}` in {region}")))?;
        Ok(())
    }

    async fn mark_tested(&self, snapshot: &SnapshotName, at: OffsetDateTime) -> Result<(), PortError> {
        let action = format!("note on snapshot `{snapshot}` that a drill found it whole");
        let found = snapshot::find(&self.clients.rds, snapshot)
            .await?
            .ok_or_else(|| not_found(action.clone(), "it is gone", "look at `backup ENV list`"))?;
        // What others made keeps their tags: a drill of an automated snapshot leaves no trace on it.
        let Some(mark) = found.mark else { return Ok(()) };
        let mark = Mark {
            tested: Some(at.replace_nanosecond(0).unwrap_or(at)),
            ..mark
        };
        self.clients
            .rds
            .add_tags_to_resource()
            .resource_name(found.arn.as_str())
            .set_tags(Some(tags::sdk(&mark)))
            .send()
            .await
            .map_err(failed(action))?;
        Ok(())
    }

    async fn restore(
        &self,
        from: &RestoreFrom,
        source: &InstanceName,
        copy: &InstanceName,
        settings: &RestoreSettings,
        mark: &Mark,
    ) -> Result<(), PortError> {
        match from {
            RestoreFrom::Snapshot { snapshot, .. } => self.restore_snapshot(snapshot, copy, settings, mark).await,
            RestoreFrom::Time { at } => self.restore_moment(Some(*at), source, copy, settings, mark).await,
            RestoreFrom::Latest { .. } => self.restore_moment(None, source, copy, settings, mark).await,
        }
    }

    async fn instance(&self, instance: &InstanceName) -> Result<Option<Instance>, PortError> {
        instance::find(&self.clients.rds, instance).await
    }

    async fn delete_instance(&self, instance: &InstanceName) -> Result<(), PortError> {
        self.clients
            .rds
            .delete_db_instance()
            .db_instance_identifier(instance.as_str())
            .skip_final_snapshot(true)
            .delete_automated_backups(true)
            .send()
            .await
            .map_err(failed(format!("delete database instance `{instance}`")))?;
        Ok(())
    }

    async fn keep(&self, drill: &DrillRecord) -> Result<(), PortError> {
        self.journal.put_drill(drill).await
    }
}

impl AwsBackups<'_> {
    /// The other Region's leave to read an encrypted backup here.
    async fn leave(
        &self,
        action: &str,
        source: (&str, &str),
        to: &Region,
        kms_key: Option<&KmsKey>,
    ) -> Result<String, PortError> {
        presign::call(self.clients, self.environment, action, source, to, kms_key).await
    }

    async fn restore_snapshot(
        &self,
        snapshot: &SnapshotName,
        copy: &InstanceName,
        settings: &RestoreSettings,
        mark: &Mark,
    ) -> Result<(), PortError> {
        self.clients
            .rds
            .restore_db_instance_from_db_snapshot()
            .db_snapshot_identifier(snapshot.as_str())
            .db_instance_identifier(copy.as_str())
            .db_instance_class(&settings.class)
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids(groups(settings))
            .set_db_parameter_group_name(settings.parameter_group.clone())
            .multi_az(settings.multi_az)
            .publicly_accessible(false)
            .deletion_protection(false)
            .backup_retention_period(days(settings))
            .set_tags(Some(tags::sdk(mark)))
            .send()
            .await
            .map_err(failed(format!("restore snapshot `{snapshot}` as `{copy}`")))?;
        Ok(())
    }

    /// `moment`, or the latest that there is: RDS takes exactly one of the two (Amazon RDS API Reference, `RestoreDBInstanceToPointInTime`).
    async fn restore_moment(
        &self,
        moment: Option<OffsetDateTime>,
        source: &InstanceName,
        copy: &InstanceName,
        settings: &RestoreSettings,
        mark: &Mark,
    ) -> Result<(), PortError> {
        let request = self
            .clients
            .rds
            .restore_db_instance_to_point_in_time()
            .source_db_instance_identifier(source.as_str())
            .target_db_instance_identifier(copy.as_str());
        let request = match moment {
            Some(at) => request.restore_time(DateTime::from_secs(at.unix_timestamp())),
            None => request.use_latest_restorable_time(true),
        };
        request
            .db_instance_class(&settings.class)
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids(groups(settings))
            .set_db_parameter_group_name(settings.parameter_group.clone())
            .multi_az(settings.multi_az)
            .publicly_accessible(false)
            .deletion_protection(false)
            .backup_retention_period(days(settings))
            .set_tags(Some(tags::sdk(mark)))
            .send()
            .await
            .map_err(failed(format!("restore database instance `{source}` as `{copy}`")))?;
        Ok(())
    }
}

/// None at all leaves the choice to RDS, which an empty list does not.
fn groups(settings: &RestoreSettings) -> Option<Vec<String>> {
    (!settings.security_groups.is_empty()).then(|| settings.security_groups.clone())
}

fn days(settings: &RestoreSettings) -> i32 {
    i32::try_from(settings.retention_days).unwrap_or(i32::MAX)
}

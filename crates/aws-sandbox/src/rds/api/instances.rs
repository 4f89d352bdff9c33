//! Instances: create, describe, delete, stop, start, reboot.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::arn::{Named, arn};
use super::super::error::RdsError;
use super::super::installation::Installation;
use super::super::instance::{Instance, InstanceSpec};
use super::super::keeper::{Restart, Wanted};
use super::super::settings::{Settings, Zones};
use super::super::snapshot::{self, Kind};
use super::super::status::Status;
use super::super::vault::Leftover;
use super::super::{InstanceId, Rds};
use super::page::{Filters, page};
use super::{Answered, NAMESPACE, Request, view};
use crate::wire::{QueryError, answer};

/// What the API keeps when nothing is said (Amazon RDS API Reference, `CreateDBInstance`, `BackupRetentionPeriod`).
const RETENTION_DAYS: u8 = 1;
/// Amazon RDS User Guide, "Backup retention period".
const LONGEST_RETENTION_DAYS: u8 = 35;

pub(super) fn create(request: &Request<'_>) -> Answered {
    let parameters = &request.parameters;
    check_engine(request)?;
    let default = Settings {
        backup_retention_days: RETENTION_DAYS,
        ..Settings::new(
            parameters.required("DBInstanceClass")?,
            parameters.parsed("AllocatedStorage")?.unwrap_or(20),
        )
    };
    let kms_key = match parameters.text("KmsKeyId") {
        Some(key) => Some(key.to_owned()),
        None if parameters.parsed("StorageEncrypted")? == Some(true) => Some(own_key(request)),
        None => None,
    };
    let spec = InstanceSpec {
        identifier: parameters.required("DBInstanceIdentifier")?.to_ascii_lowercase(),
        db_name: parameters.text("DBName").map(str::to_owned),
        username: parameters.required("MasterUsername")?.to_owned(),
        password: parameters.required("MasterUserPassword")?.to_owned(),
        port: parameters.parsed("Port")?.unwrap_or(5432),
        settings: Settings {
            kms_key,
            ..settings(request, default)?
        },
        tags: request.tags(),
    };
    let instance = request.rds.launch_new(request.region(), spec)?;
    Ok(request.one(&instance))
}

/// The key that an account has for RDS.
pub(super) fn own_key(request: &Request<'_>) -> String {
    format!("arn:aws:kms:{}:{}:alias/aws/rds", request.region(), request.rds.account)
}

fn check_engine(request: &Request<'_>) -> Result<(), QueryError> {
    let engine = request.parameters.required("Engine")?;
    if engine != "postgres" {
        return Err(RdsError::Invalid(format!("The sandbox has the engine postgres only, not {engine}")).into());
    }
    if let Some(version) = request.parameters.text("EngineVersion") {
        let installation = Installation::find()?;
        if version.split('.').next() != Some(installation.major()) {
            let message = format!(
                "Cannot find version {version} for postgres: this machine has {}",
                installation.version
            );
            return Err(RdsError::Combination(message).into());
        }
    }
    Ok(())
}

/// The settings that a request names, on top of others.
pub(super) fn settings(request: &Request<'_>, base: Settings) -> Result<Settings, QueryError> {
    let parameters = &request.parameters;
    let retention = parameters.parsed("BackupRetentionPeriod")?;
    let backup_retention_days = retention.unwrap_or(base.backup_retention_days);
    if backup_retention_days > LONGEST_RETENTION_DAYS {
        let message = format!(
            "Invalid backup retention period: {backup_retention_days}. Must be between 0 and {LONGEST_RETENTION_DAYS}"
        );
        return Err(RdsError::Invalid(message).into());
    }
    let groups = parameters.texts("VpcSecurityGroupIds");
    Ok(Settings {
        class: parameters.text("DBInstanceClass").map_or(base.class, str::to_owned),
        allocated_gigabytes: parameters
            .parsed("AllocatedStorage")?
            .unwrap_or(base.allocated_gigabytes),
        backup_retention_days,
        zones: parameters.parsed("MultiAZ")?.map_or(base.zones, Zones::multi_az),
        publicly_accessible: parameters
            .parsed("PubliclyAccessible")?
            .unwrap_or(base.publicly_accessible),
        deletion_protection: parameters
            .parsed("DeletionProtection")?
            .unwrap_or(base.deletion_protection),
        copy_tags_to_snapshot: parameters
            .parsed("CopyTagsToSnapshot")?
            .unwrap_or(base.copy_tags_to_snapshot),
        subnet_group: parameters
            .text("DBSubnetGroupName")
            .map_or(base.subnet_group, str::to_ascii_lowercase),
        security_groups: if groups.is_empty() {
            base.security_groups
        } else {
            groups.into_iter().map(str::to_owned).collect()
        },
        parameter_group: parameters
            .text("DBParameterGroupName")
            .map(str::to_ascii_lowercase)
            .or(base.parameter_group),
        kms_key: base.kms_key,
    })
}

pub(super) fn describe(request: &Request<'_>) -> Answered {
    let rds = request.rds;
    let wanted = request
        .parameters
        .text("DBInstanceIdentifier")
        .map(|text| Named::parse(text).name);
    let filters = Filters::of(request, &["db-instance-id", "dbi-resource-id", "engine"])?;
    let found: Vec<Instance> = rds.instances.read(|regions| {
        let all = regions.get(request.region()).into_iter().flat_map(BTreeMap::values);
        let property = |instance: &Instance, name: &str| match name {
            "db-instance-id" => instance.identifier.clone(),
            "dbi-resource-id" => instance.resource_id.clone(),
            _ => "postgres".to_owned(),
        };
        all.filter(|instance| wanted.as_ref().is_none_or(|wanted| *wanted == instance.identifier))
            .filter(|instance| filters.admit(|name| property(instance, name)))
            .cloned()
            .collect()
    });
    if let Some(wanted) = wanted.filter(|_| found.is_empty()) {
        return Err(RdsError::NotFound(wanted).into());
    }
    let (found, marker) = page(request, found, |instance| instance.identifier.clone())?;
    Ok(answer(request.call, NAMESPACE, |xml| {
        xml.list_of("DBInstances", "DBInstance", &found, |xml, instance| {
            view::instance(xml, request, instance);
        });
        xml.optional("Marker", marker);
    }))
}

pub(super) fn delete(request: &Request<'_>) -> Answered {
    let rds = request.rds;
    let (id, instance) = find(request)?;
    let skip = request
        .parameters
        .parsed::<bool>("SkipFinalSnapshot")?
        .unwrap_or_default();
    let last = request
        .parameters
        .text("FinalDBSnapshotIdentifier")
        .map(str::to_ascii_lowercase);
    let message = match (skip, &last) {
        (false, None) => Some("FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."),
        (true, Some(_)) => {
            Some("FinalDBSnapshotIdentifier can not be specified when deleting an instance with SkipFinalSnapshot.")
        }
        (false, Some(_)) | (true, None) => None,
    };
    if let Some(message) = message {
        return Err(RdsError::Combination(message.to_owned()).into());
    }
    if instance.settings.deletion_protection {
        let message = "Cannot delete protected DB Instance, please disable deletion protection and try again.";
        return Err(RdsError::Combination(message.to_owned()).into());
    }
    if !instance.status.may_be_deleted() {
        return Err(wrong_state(&instance, "available, stopped or failed"));
    }
    let leftover = match request.parameters.parsed::<bool>("DeleteAutomatedBackups")? {
        Some(false) => Leftover::Retained,
        Some(true) | None => Leftover::Deleted,
    };
    match last {
        None => {
            rds.set_status(&id, Status::Deleting);
            rds.end_automated(&id, &instance, leftover);
            rds.want(&id, Wanted::Deleted);
        }
        Some(name) => delete_after_snapshot(rds, &id, &instance, name, leftover)?,
    }
    let instance = Instance {
        status: Status::Deleting,
        ..instance
    };
    Ok(request.one(&instance))
}

/// The instance goes only once its final snapshot is there.
fn delete_after_snapshot(
    rds: &Arc<Rds>,
    id: &InstanceId,
    instance: &Instance,
    name: String,
    leftover: Leftover,
) -> Result<(), QueryError> {
    snapshot::check_identifier(&name)?;
    rds.set_status_if(id, &Status::Available, Status::Deleting)?;
    let draft = Rds::draft(&id.0, instance, name.clone(), Kind::Manual);
    let taking = rds
        .begin(id, draft)
        .inspect_err(|_| rds.settle(id, &Status::Deleting))?;
    let (rds, id, instance) = (Arc::clone(rds), id.clone(), instance.clone());
    tokio::spawn(async move {
        let ended = taking.await;
        let kept = rds.vault.read(|vault| vault.available(&id.0, &name).is_ok());
        if ended.is_ok() && kept {
            rds.end_automated(&id, &instance, leftover);
            rds.want(&id, Wanted::Deleted);
        } else {
            tracing::error!(instance = %id.1, snapshot = %name, "the instance stays, because its final snapshot failed");
            rds.settle(&id, &Status::Deleting);
        }
    });
    Ok(())
}

pub(super) fn stop(request: &Request<'_>) -> Answered {
    if request.parameters.has("DBSnapshotIdentifier") {
        let message = "The sandbox takes no snapshot when it stops an instance; create one before.";
        return Err(RdsError::Combination(message.to_owned()).into());
    }
    switch(request, &Status::Available, Status::Stopping, Wanted::Stopped)
}

pub(super) fn start(request: &Request<'_>) -> Answered {
    switch(request, &Status::Stopped, Status::Starting, Wanted::Running)
}

pub(super) fn reboot(request: &Request<'_>) -> Answered {
    if request.parameters.parsed::<bool>("ForceFailover")? != Some(true) {
        let restart = Wanted::Restarted(Restart::Reboot);
        return switch(request, &Status::Available, Status::Rebooting, restart);
    }
    let (id, instance) = find(request)?;
    if instance.settings.zones == Zones::One {
        let message = "ForceFailover cannot be specified since the instance is not configured for Multi-AZ or HA.";
        return Err(RdsError::Combination(message.to_owned()).into());
    }
    let restart = Wanted::Restarted(Restart::FailOver);
    let answered = switch(request, &Status::Available, Status::Rebooting, restart)?;
    request.rds.change(&id, |instance| {
        instance.settings.zones = instance.settings.zones.swapped();
    });
    Ok(answered)
}

fn switch(request: &Request<'_>, needed: &Status, next: Status, wanted: Wanted) -> Answered {
    let (id, instance) = find(request)?;
    request.rds.set_status_if(&id, needed, next.clone())?;
    request.rds.want(&id, wanted);
    let instance = Instance {
        status: next,
        ..instance
    };
    Ok(request.one(&instance))
}

pub(super) fn wrong_state(instance: &Instance, needed: &'static str) -> QueryError {
    RdsError::WrongState {
        identifier: instance.identifier.clone(),
        status: instance.status.name(),
        needed,
    }
    .into()
}

/// The instance that a request names.
pub(super) fn find(request: &Request<'_>) -> Result<(InstanceId, Instance), QueryError> {
    let name = Named::parse(request.parameters.required("DBInstanceIdentifier")?).name;
    let id = (request.region().to_owned(), name);
    let instance = request
        .rds
        .instance(&id)
        .ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
    Ok((id, instance))
}

/// The ARN of an instance.
pub(super) fn instance_arn(rds: &Rds, region: &str, instance: &Instance) -> String {
    arn(region, &rds.account, "db", &instance.identifier)
}

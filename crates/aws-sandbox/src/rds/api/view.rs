//! What describe operations say of instances, snapshots and automated backups (Amazon RDS API Reference, "Data Types").

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::arn::arn;
use super::super::groups::GroupKind;
use super::super::instance::Instance;
use super::super::settings::{Settings, Zones};
use super::super::snapshot::Snapshot;
use super::super::status::Status;
use super::super::vault::Automated;
use super::Request;
use super::automated::replicas;
use super::groups::group_arn;
use super::instances::instance_arn;
use crate::clock;
use crate::wire::Xml;

pub(super) fn instance(xml: &mut Xml, request: &Request<'_>, instance: &Instance) {
    let (rds, region) = (request.rds, request.region());
    let endpoint = rds.endpoint(instance);
    let settings = &instance.settings;
    xml.text("DBInstanceIdentifier", &instance.identifier);
    xml.text("DBInstanceClass", &settings.class);
    xml.text("Engine", "postgres");
    xml.text("EngineVersion", &instance.engine_version);
    xml.text("DBInstanceStatus", instance.status.name());
    xml.text("MasterUsername", &instance.username);
    xml.optional("DBName", instance.db_name.as_ref());
    // There is an address only once there is a server.
    if !matches!(instance.status, Status::Creating | Status::Failed { .. }) {
        xml.element("Endpoint", |xml| {
            xml.text("Address", endpoint.host);
            xml.text("Port", endpoint.port);
        });
        xml.text("InstanceCreateTime", iso_8601(instance.created));
    }
    xml.text("AllocatedStorage", settings.allocated_gigabytes);
    let zone = settings.zones.serving();
    xml.text("AvailabilityZone", zone.name(region));
    if let Zones::Two { .. } = settings.zones {
        xml.text("SecondaryAvailabilityZone", zone.other().name(region));
    }
    xml.text("MultiAZ", settings.zones != Zones::One);
    xml.text("BackupRetentionPeriod", settings.backup_retention_days);
    xml.optional(
        "LatestRestorableTime",
        latest_restorable(request, instance).map(iso_8601),
    );
    xml.text("PubliclyAccessible", settings.publicly_accessible);
    xml.text("StorageType", "gp3");
    xml.text("StorageEncrypted", settings.kms_key.is_some());
    xml.optional("KmsKeyId", settings.kms_key.as_ref());
    xml.text("DeletionProtection", settings.deletion_protection);
    xml.text("CopyTagsToSnapshot", settings.copy_tags_to_snapshot);
    xml.text("DbiResourceId", &instance.resource_id);
    xml.text("DBInstanceArn", instance_arn(rds, region, instance));
    attachments(xml, request, instance);
    if let Some(wanted) = &instance.pending {
        xml.element("PendingModifiedValues", |xml| pending(xml, settings, wanted));
    }
    replications(xml, &replicas(request, &instance.resource_id));
    tags(xml, &instance.tags);
}

fn attachments(xml: &mut Xml, request: &Request<'_>, instance: &Instance) {
    let Settings {
        subnet_group,
        security_groups,
        parameter_group,
        ..
    } = &instance.settings;
    xml.element("DBSubnetGroup", |xml| {
        group(xml, request, GroupKind::Subnet, subnet_group, subnet_group);
    });
    let (list, element) = ("VpcSecurityGroups", "VpcSecurityGroupMembership");
    xml.list_of(list, element, security_groups, |xml, id| {
        xml.text("VpcSecurityGroupId", id);
        xml.text("Status", "active");
    });
    let major = instance.engine_version.split('.').next().unwrap_or_default();
    let default = format!("default.postgres{major}");
    let parameter_group = parameter_group.as_ref().unwrap_or(&default);
    xml.list_of(
        "DBParameterGroups",
        "DBParameterGroup",
        [parameter_group],
        |xml, name| {
            xml.text("DBParameterGroupName", name);
            xml.text("ParameterApplyStatus", "in-sync");
        },
    );
}

fn pending(xml: &mut Xml, now: &Settings, wanted: &Settings) {
    xml.optional("DBInstanceClass", (now.class != wanted.class).then_some(&wanted.class));
    let storage = wanted.allocated_gigabytes;
    xml.optional(
        "AllocatedStorage",
        (now.allocated_gigabytes != storage).then_some(storage),
    );
    xml.optional(
        "MultiAZ",
        (now.zones != wanted.zones).then_some(wanted.zones != Zones::One),
    );
}

fn latest_restorable(request: &Request<'_>, instance: &Instance) -> Option<OffsetDateTime> {
    request.rds.vault.read(|vault| {
        let automated = vault.active(request.region(), &instance.resource_id)?;
        Some(vault.window(automated, clock::now(), request.rds.day())?.latest)
    })
}

pub(super) fn snapshot(xml: &mut Xml, request: &Request<'_>, snapshot: &Snapshot) {
    let region = request.region();
    let (of, settings) = (&snapshot.of, &snapshot.of.settings);
    xml.text("DBSnapshotIdentifier", &snapshot.identifier);
    xml.text("DBInstanceIdentifier", &of.identifier);
    xml.text("SnapshotType", snapshot.kind.name());
    xml.text("Status", snapshot.status.name());
    xml.text("PercentProgress", snapshot.status.percent());
    xml.text("SnapshotCreateTime", iso_8601(snapshot.created));
    let original = snapshot.copy_of.as_ref();
    let original_created = original.map_or(snapshot.created, |original| original.created);
    xml.text("OriginalSnapshotCreateTime", iso_8601(original_created));
    xml.optional("SnapshotDatabaseTime", snapshot.status.consistent().map(iso_8601));
    xml.text("InstanceCreateTime", iso_8601(of.created));
    xml.text("Engine", "postgres");
    xml.text("EngineVersion", &of.engine_version);
    xml.text("MasterUsername", &of.username);
    xml.text("Port", of.port);
    xml.text("AllocatedStorage", settings.allocated_gigabytes);
    xml.text("StorageType", "gp3");
    xml.text("AvailabilityZone", settings.zones.serving().name(&snapshot.region));
    xml.text("Encrypted", snapshot.kms_key.is_some());
    xml.optional("KmsKeyId", snapshot.kms_key.as_ref());
    xml.text("DbiResourceId", &of.resource_id);
    xml.text(
        "DBSnapshotArn",
        arn(region, &request.rds.account, "snapshot", &snapshot.identifier),
    );
    xml.text("SnapshotTarget", "region");
    if let Some(original) = original {
        xml.text("SourceDBSnapshotIdentifier", &original.arn);
        xml.text("SourceRegion", &original.region);
    }
    tags(xml, &snapshot.tags);
}

pub(super) fn automated(xml: &mut Xml, request: &Request<'_>, id: &str, automated: &Automated) {
    let rds = request.rds;
    let of = &automated.of;
    xml.text("DBInstanceArn", instance_arn(rds, &automated.source_region, of));
    xml.text(
        "DBInstanceAutomatedBackupsArn",
        arn(request.region(), &rds.account, "auto-backup", id),
    );
    xml.text("DbiResourceId", &of.resource_id);
    xml.text("DBInstanceIdentifier", &of.identifier);
    xml.text("Region", &automated.source_region);
    xml.text("Status", automated.state.name());
    xml.text("BackupRetentionPeriod", automated.retention_days);
    let window = rds.vault.read(|vault| vault.window(automated, clock::now(), rds.day()));
    xml.element("RestoreWindow", |xml| {
        xml.optional("EarliestTime", window.map(|window| iso_8601(window.earliest)));
        xml.optional("LatestTime", window.map(|window| iso_8601(window.latest)));
    });
    xml.text("Engine", "postgres");
    xml.text("EngineVersion", &of.engine_version);
    xml.text("MasterUsername", &of.username);
    xml.text("Port", of.port);
    xml.text("AllocatedStorage", of.settings.allocated_gigabytes);
    xml.text("StorageType", "gp3");
    xml.text("InstanceCreateTime", iso_8601(of.created));
    xml.text("Encrypted", automated.kms_key.is_some());
    xml.optional("KmsKeyId", automated.kms_key.as_ref());
    xml.text("BackupTarget", "region");
    let follow = if automated.source_region == request.region() {
        replicas(request, &of.resource_id)
    } else {
        Vec::new()
    };
    replications(xml, &follow);
}

fn replications(xml: &mut Xml, arns: &[String]) {
    let (list, element) = (
        "DBInstanceAutomatedBackupsReplications",
        "DBInstanceAutomatedBackupsReplication",
    );
    xml.list_of(list, element, arns, |xml, arn| {
        xml.text("DBInstanceAutomatedBackupsArn", arn);
    });
}

pub(super) fn group(xml: &mut Xml, request: &Request<'_>, kind: GroupKind, name: &str, description: &str) {
    match kind {
        GroupKind::Subnet => {
            xml.text("DBSubnetGroupName", name);
            xml.text("DBSubnetGroupDescription", description);
            xml.text("VpcId", "vpc-sandbox");
            xml.text("SubnetGroupStatus", "Complete");
            xml.list_of("Subnets", "Subnet", ["a", "b"], |xml, zone| {
                xml.text("SubnetIdentifier", format!("subnet-{zone}"));
                xml.element("SubnetAvailabilityZone", |xml| {
                    xml.text("Name", format!("{}{zone}", request.region()));
                });
                xml.text("SubnetStatus", "Active");
            });
            xml.text("DBSubnetGroupArn", group_arn(request, kind, name));
        }
        GroupKind::Parameter => {
            xml.text("DBParameterGroupName", name);
            xml.text("DBParameterGroupFamily", "postgres");
            xml.text("Description", description);
            xml.text("DBParameterGroupArn", group_arn(request, kind, name));
        }
    }
}

pub(super) fn tags(xml: &mut Xml, tags: &BTreeMap<String, String>) {
    xml.list_of("TagList", "Tag", tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn iso_8601(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

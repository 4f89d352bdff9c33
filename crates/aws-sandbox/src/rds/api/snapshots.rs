//! Snapshots: create, describe, copy, delete.

use std::collections::BTreeMap;

use super::super::Rds;
use super::super::arn::{Named, arn};
use super::super::error::RdsError;
use super::super::instance::Instance;
use super::super::snapshot::{self, Kind, Snapshot, SnapshotStatus};
use super::instances::find;
use super::page::{Filters, page};
use super::{Answered, NAMESPACE, Request, view};
use crate::front::call::Reply;
use crate::wire::{QueryError, answer};

pub(super) fn create(request: &Request<'_>) -> Answered {
    let name = request
        .parameters
        .required("DBSnapshotIdentifier")?
        .to_ascii_lowercase();
    snapshot::check_identifier(&name)?;
    let (id, instance) = find(request)?;
    let mut draft = Rds::draft(request.region(), &instance, name, Kind::Manual);
    draft.tags.extend(request.tags());
    request.rds.take(&id, draft.clone())?;
    Ok(one(request, &draft))
}

pub(super) fn describe(request: &Request<'_>) -> Answered {
    let parameters = &request.parameters;
    let name = |parameter| parameters.text(parameter).map(|text| Named::parse(text).name);
    let (wanted, of) = (name("DBSnapshotIdentifier"), name("DBInstanceIdentifier"));
    let resource = parameters.text("DbiResourceId");
    let kind = parameters.text("SnapshotType");
    if let Some(kind) = kind.filter(|kind| !["manual", "automated", "shared", "public", "awsbackup"].contains(kind)) {
        return Err(RdsError::Invalid(format!("Invalid snapshot type: {kind}")).into());
    }
    let filters = Filters::of(
        request,
        &[
            "db-instance-id",
            "db-snapshot-id",
            "dbi-resource-id",
            "snapshot-type",
            "engine",
        ],
    )?;
    let found: Vec<Snapshot> = request.rds.vault.read(|vault| {
        let all = vault
            .snapshots
            .get(request.region())
            .into_iter()
            .flat_map(BTreeMap::values);
        all.filter(|snapshot| wanted.as_ref().is_none_or(|wanted| *wanted == snapshot.identifier))
            .filter(|snapshot| of.as_ref().is_none_or(|of| *of == snapshot.of.identifier))
            .filter(|snapshot| resource.is_none_or(|resource| resource.eq_ignore_ascii_case(&snapshot.of.resource_id)))
            .filter(|snapshot| kind.is_none_or(|kind| kind == snapshot.kind.name()))
            .filter(|snapshot| filters.admit(|name| property(snapshot, name)))
            .cloned()
            .collect()
    });
    if let Some(wanted) = wanted.filter(|_| found.is_empty()) {
        return Err(RdsError::SnapshotNotFound(wanted).into());
    }
    let (found, marker) = page(request, found, |snapshot| snapshot.identifier.clone())?;
    Ok(answer(request.call, NAMESPACE, |xml| {
        xml.list_of("DBSnapshots", "DBSnapshot", &found, |xml, snapshot| {
            view::snapshot(xml, request, snapshot);
        });
        xml.optional("Marker", marker);
    }))
}

fn property(snapshot: &Snapshot, name: &str) -> String {
    match name {
        "db-instance-id" => snapshot.of.identifier.clone(),
        "db-snapshot-id" => snapshot.identifier.clone(),
        "dbi-resource-id" => snapshot.of.resource_id.clone(),
        "snapshot-type" => snapshot.kind.name().to_owned(),
        _ => "postgres".to_owned(),
    }
}

/// The client of the Region that the copy is to be in calls this; the ARN of the source says where that is.
pub(super) fn copy(request: &Request<'_>) -> Answered {
    let rds = request.rds;
    let source = Named::parse(request.parameters.required("SourceDBSnapshotIdentifier")?);
    let target = request
        .parameters
        .required("TargetDBSnapshotIdentifier")?
        .to_ascii_lowercase();
    snapshot::check_identifier(&target)?;
    let from = source.region.as_deref().unwrap_or(request.region());
    let original = rds.vault.read(|vault| vault.available(from, &source.name).cloned())?;
    let Some(moment) = original.status.consistent() else {
        return Err(RdsError::SnapshotNotFound(source.name).into());
    };
    let kms_key = request.parameters.text("KmsKeyId").map(str::to_owned);
    if from != request.region() && original.kms_key.is_some() && kms_key.is_none() {
        let message =
            "KmsKeyId is required to copy an encrypted snapshot to another Region: a key belongs to one Region.";
        return Err(RdsError::KmsKey(message.to_owned()).into());
    }
    let original_arn = arn(from, &rds.account, "snapshot", &original.identifier);
    let mut draft = Rds::draft_copy(&original, from, original_arn, target);
    draft.kms_key = kms_key.or(original.kms_key);
    draft.tags = if request.parameters.parsed::<bool>("CopyTags")? == Some(true) {
        original.tags
    } else {
        BTreeMap::new()
    };
    draft.tags.extend(request.tags());
    rds.copy(request.region(), draft.clone(), original.files, moment)?;
    Ok(one(request, &draft))
}

pub(super) fn delete(request: &Request<'_>) -> Answered {
    let name = Named::parse(request.parameters.required("DBSnapshotIdentifier")?).name;
    let gone = request.rds.vault.write(|vault| {
        let snapshot = vault.snapshot(request.region(), &name)?;
        let refused = |status| RdsError::SnapshotState {
            identifier: name.clone(),
            status,
            needed: "available",
        };
        match (snapshot.kind, &snapshot.status) {
            (Kind::Automated, _) => Err(refused("automated, which goes with its retention period")),
            (Kind::Manual, SnapshotStatus::Creating { .. } | SnapshotStatus::Deleting) => {
                Err(refused(snapshot.status.name()))
            }
            (Kind::Manual, SnapshotStatus::Available { .. } | SnapshotStatus::Failed { .. }) => {
                let deleting = Snapshot {
                    status: SnapshotStatus::Deleting,
                    ..snapshot.clone()
                };
                if let Some(snapshot) = vault.snapshot_mut(request.region(), &name) {
                    snapshot.status = SnapshotStatus::Deleting;
                }
                Ok(deleting)
            }
        }
    })?;
    request.rds.delete_snapshot(request.region(), &name);
    Ok(one(request, &gone))
}

fn one(request: &Request<'_>, snapshot: &Snapshot) -> Reply {
    answer(request.call, NAMESPACE, |xml| {
        xml.element("DBSnapshot", |xml| view::snapshot(xml, request, snapshot));
    })
}

/// The instance that a snapshot was taken of, and the folder of its data.
pub(super) fn restorable(request: &Request<'_>, text: &str) -> Result<(Instance, String), QueryError> {
    let named = Named::parse(text);
    if named.region.as_ref().is_some_and(|region| region != request.region()) {
        let message = format!("{text} is in another Region; copy it here first");
        return Err(RdsError::Invalid(message).into());
    }
    let found = request.rds.vault.read(|vault| {
        let snapshot = vault.available(request.region(), &named.name)?;
        let of = Instance {
            settings: super::super::Settings {
                kms_key: snapshot.kms_key.clone(),
                ..snapshot.of.settings.clone()
            },
            ..snapshot.of.clone()
        };
        Ok::<_, RdsError>((of, snapshot.files.clone()))
    });
    Ok(found?)
}

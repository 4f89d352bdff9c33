//! Automated backups: describe, delete, and their replication to another Region.

use std::collections::BTreeMap;

use super::super::arn::{Named, arn};
use super::super::error::RdsError;
use super::super::instance::unique_id;
use super::super::vault::{Automated, AutomatedState};
use super::page::{Filters, page};
use super::{Answered, NAMESPACE, Request, view};
use crate::clock;
use crate::front::call::Reply;
use crate::wire::{QueryError, answer};

pub(super) fn describe(request: &Request<'_>) -> Answered {
    let parameters = &request.parameters;
    let name = |parameter| parameters.text(parameter).map(|text| Named::parse(text).name);
    let (of, by_arn) = (name("DBInstanceIdentifier"), name("DBInstanceAutomatedBackupsArn"));
    let resource = parameters.text("DbiResourceId");
    let filters = Filters::of(request, &["status", "db-instance-id", "dbi-resource-id"])?;
    let found: Vec<(String, Automated)> = request.rds.vault.read(|vault| {
        let all = vault.automated.get(request.region()).into_iter().flatten();
        let property = |automated: &Automated, name: &str| match name {
            "status" => automated.state.name().to_owned(),
            "db-instance-id" => automated.of.identifier.clone(),
            _ => automated.of.resource_id.clone(),
        };
        all.filter(|(id, _)| by_arn.as_ref().is_none_or(|by_arn| by_arn == *id))
            .filter(|(_, automated)| of.as_ref().is_none_or(|of| *of == automated.of.identifier))
            .filter(|(_, automated)| {
                resource.is_none_or(|resource| resource.eq_ignore_ascii_case(&automated.of.resource_id))
            })
            .filter(|(_, automated)| filters.admit(|name| property(automated, name)))
            .map(|(id, automated)| (id.clone(), automated.clone()))
            .collect()
    });
    if let Some(wanted) = by_arn.or(of).filter(|_| found.is_empty()) {
        return Err(RdsError::AutomatedNotFound(wanted).into());
    }
    let (found, marker) = page(request, found, |(id, _)| id.clone())?;
    Ok(answer(request.call, NAMESPACE, |xml| {
        let (list, element) = ("DBInstanceAutomatedBackups", "DBInstanceAutomatedBackup");
        xml.list_of(list, element, &found, |xml, (id, automated)| {
            view::automated(xml, request, id, automated);
        });
        xml.optional("Marker", marker);
    }))
}

/// Of an instance that is gone.
pub(super) fn delete(request: &Request<'_>) -> Answered {
    let by_arn = request.parameters.text("DBInstanceAutomatedBackupsArn");
    let by_arn = by_arn.map(|text| Named::parse(text).name);
    let resource = request.parameters.text("DbiResourceId").unwrap_or_default();
    let gone = request.rds.vault.write(|vault| {
        let backups = vault.automated.entry(request.region().to_owned()).or_default();
        let found = backups.iter().find(|(id, automated)| match &by_arn {
            Some(by_arn) => by_arn == *id,
            None => automated.of.resource_id.eq_ignore_ascii_case(resource),
        });
        let (id, automated) = found
            .map(|(id, automated)| (id.clone(), automated.clone()))
            .ok_or_else(|| RdsError::AutomatedNotFound(by_arn.clone().unwrap_or_else(|| resource.to_owned())))?;
        match automated.state {
            AutomatedState::Retained { .. } => {}
            AutomatedState::Active | AutomatedState::Replicating => {
                return Err(RdsError::AutomatedState {
                    identifier: id,
                    status: automated.state.name(),
                    needed: "retained",
                });
            }
        }
        backups.remove(&id);
        vault.expire(clock::now(), request.rds.day());
        Ok((id, automated))
    })?;
    request.rds.sweep();
    Ok(one(request, &gone.0, &gone.1))
}

/// The client of the Region that the replica is to be in calls this.
pub(super) fn start_replication(request: &Request<'_>) -> Answered {
    let rds = request.rds;
    let (source_region, instance) = source(request)?;
    let id = (source_region.clone(), instance);
    let instance = rds.instance(&id).ok_or_else(|| RdsError::NotFound(id.1.clone()))?;
    if source_region == request.region() {
        let message = "Automated backups cannot be replicated into the Region of their instance.";
        return Err(RdsError::Combination(message.to_owned()).into());
    }
    if instance.settings.backup_retention_days == 0 {
        return Err(RdsError::NoPointInTime(id.1).into());
    }
    let kms_key = request.parameters.text("KmsKeyId").map(str::to_owned);
    if instance.settings.kms_key.is_some() && kms_key.is_none() {
        let message =
            "KmsKeyId is required to replicate encrypted backups to another Region: a key belongs to one Region.";
        return Err(RdsError::KmsKey(message.to_owned()).into());
    }
    let replica = Automated {
        retention_days: request.parameters.parsed("BackupRetentionPeriod")?.unwrap_or(7),
        source_region,
        state: AutomatedState::Replicating,
        kms_key,
        of: instance,
    };
    let name = rds.vault.write(|vault| {
        let backups = vault.automated.entry(request.region().to_owned()).or_default();
        let same = |automated: &Automated| automated.of.resource_id == replica.of.resource_id;
        let there = backups.iter().find(|(_, automated)| same(automated));
        match there.map(|(name, automated)| (name.clone(), automated.state)) {
            Some((name, AutomatedState::Replicating | AutomatedState::Active)) => Err(RdsError::AutomatedState {
                identifier: name,
                status: "replicating",
                needed: "absent",
            }),
            there => {
                // One that was stopped goes on under its name.
                let name = there.map_or_else(|| unique_id("ab").to_ascii_lowercase(), |(name, _)| name);
                backups.insert(name.clone(), replica.clone());
                Ok(name)
            }
        }
    })?;
    Ok(one(request, &name, &replica))
}

pub(super) fn stop_replication(request: &Request<'_>) -> Answered {
    let (source_region, instance) = source(request)?;
    let stopped = request.rds.vault.write(|vault| {
        let backups = vault.automated.entry(request.region().to_owned()).or_default();
        let found = backups.iter_mut().find(|(_, automated)| {
            automated.of.identifier == instance
                && automated.source_region == source_region
                && automated.state == AutomatedState::Replicating
        });
        let (name, automated) = found.ok_or_else(|| RdsError::NotFound(instance.clone()))?;
        automated.state = AutomatedState::Retained { until: clock::now() };
        Ok::<_, RdsError>((name.clone(), automated.clone()))
    })?;
    Ok(one(request, &stopped.0, &stopped.1))
}

/// Region and identifier of the instance whose backups are meant.
fn source(request: &Request<'_>) -> Result<(String, String), QueryError> {
    let text = request.parameters.required("SourceDBInstanceArn")?;
    match Named::parse(text) {
        Named {
            region: Some(region),
            kind: Some(kind),
            name,
        } if kind == "db" => Ok((region, name)),
        Named { .. } => {
            let message = format!("SourceDBInstanceArn {text} is not the ARN of a DB instance");
            Err(RdsError::Invalid(message).into())
        }
    }
}

fn one(request: &Request<'_>, id: &str, automated: &Automated) -> Reply {
    answer(request.call, NAMESPACE, |xml| {
        xml.element("DBInstanceAutomatedBackup", |xml| {
            view::automated(xml, request, id, automated);
        });
    })
}

/// The replicas that follow an instance elsewhere, as ARNs.
pub(super) fn replicas(request: &Request<'_>, resource_id: &str) -> Vec<String> {
    request.rds.vault.read(|vault| {
        let all = vault
            .automated
            .iter()
            .flat_map(|(region, backups): (&String, &BTreeMap<String, Automated>)| {
                backups.iter().map(move |(id, automated)| (region, id, automated))
            });
        all.filter(|(_, _, automated)| {
            automated.of.resource_id == resource_id && automated.state == AutomatedState::Replicating
        })
        .map(|(region, id, _)| arn(region, &request.rds.account, "auto-backup", id))
        .collect()
    })
}

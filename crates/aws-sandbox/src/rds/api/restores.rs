//! Restores: from a snapshot, and to a point in time.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::super::InstanceId;
use super::super::arn::Named;
use super::super::error::RdsError;
use super::super::instance::{Instance, Restoration, check_identifier};
use super::super::making::Origin;
use super::super::restore::{self, Moment, Source, Target};
use super::super::settings::{DEFAULT_GROUP, Settings};
use super::instances::settings;
use super::snapshots::restorable;
use super::{Answered, Request};
use crate::clock;
use crate::wire::QueryError;

pub(super) fn from_snapshot(request: &Request<'_>) -> Answered {
    let identifier = target_identifier(request, "DBInstanceIdentifier")?;
    let (of, files) = restorable(request, request.parameters.required("DBSnapshotIdentifier")?)?;
    launch(request, identifier, &of, Restoration { files, replay: None })
}

pub(super) fn to_point_in_time(request: &Request<'_>) -> Answered {
    let rds = request.rds;
    let identifier = target_identifier(request, "TargetDBInstanceIdentifier")?;
    let moment = moment(request)?;
    let source = source(request)?;
    let instance = match &source {
        Source::Instance(name) => rds.instance(&(request.region().to_owned(), name.clone())),
        Source::Resource(_) | Source::Backups(_) => None,
    };
    let (of, from) = rds.vault.read(|vault| {
        let automated = restore::find(vault, request.region(), &source, instance.as_ref())?;
        let from = restore::choose(vault, automated, moment, clock::now(), rds.day())?;
        Ok::<_, RdsError>((automated.of.clone(), from))
    })?;
    launch(request, identifier, &instance.unwrap_or(of), from)
}

/// Exactly one of the two says when.
fn moment(request: &Request<'_>) -> Result<Moment, QueryError> {
    let latest = request
        .parameters
        .parsed::<bool>("UseLatestRestorableTime")?
        .unwrap_or_default();
    match (request.parameters.text("RestoreTime"), latest) {
        (None, true) => Ok(Moment::Latest),
        (Some(text), false) => OffsetDateTime::parse(text, &Rfc3339)
            .map(Moment::At)
            .map_err(|cause| RdsError::Invalid(format!("RestoreTime {text} is not a time: {cause}")).into()),
        (Some(_), true) => {
            let message = "RestoreTime cannot be specified when UseLatestRestorableTime is true.";
            Err(RdsError::Combination(message.to_owned()).into())
        }
        (None, false) => {
            let message = "Either RestoreTime or UseLatestRestorableTime must be specified.";
            Err(RdsError::Combination(message.to_owned()).into())
        }
    }
}

/// Exactly one of the three says from what.
fn source(request: &Request<'_>) -> Result<Source, QueryError> {
    let parameters = &request.parameters;
    let given = [
        parameters
            .text("SourceDBInstanceIdentifier")
            .map(|text| Source::Instance(Named::parse(text).name)),
        parameters
            .text("SourceDbiResourceId")
            .map(|text| Source::Resource(text.to_owned())),
        parameters
            .text("SourceDBInstanceAutomatedBackupsArn")
            .map(|text| Source::Backups(Named::parse(text).name)),
    ];
    let mut given = given.into_iter().flatten();
    if let (Some(source), None) = (given.next(), given.next()) {
        return Ok(source);
    }
    let message = "Exactly one of SourceDBInstanceIdentifier, SourceDbiResourceId and SourceDBInstanceAutomatedBackupsArn must be specified.";
    Err(RdsError::Combination(message.to_owned()).into())
}

fn target_identifier(request: &Request<'_>, parameter: &str) -> Result<String, QueryError> {
    let identifier = request.parameters.required(parameter)?.to_ascii_lowercase();
    check_identifier(&identifier)?;
    let id: InstanceId = (request.region().to_owned(), identifier);
    match request.rds.instance(&id) {
        Some(_) => Err(RdsError::AlreadyExists(id.1).into()),
        None => Ok(id.1),
    }
}

fn launch(request: &Request<'_>, identifier: String, of: &Instance, from: Restoration) -> Answered {
    let target = Target {
        identifier,
        port: request.parameters.parsed("Port")?,
        settings: settings(request, inherited(&of.settings))?,
        tags: request.tags(),
    };
    request.rds.check_groups(request.region(), &target.settings)?;
    let instance = target.instance(of, from);
    let instance = request.rds.launch(request.region(), instance, Origin::Backup)?;
    Ok(request.one(&instance))
}

/// What a restored instance has unless the request says otherwise. Amazon RDS User Guide, "Restoring to a DB instance": class,
/// storage and retention come from the source; the groups are the defaults, not the source's; nothing protects it.
fn inherited(of: &Settings) -> Settings {
    let fresh = Settings::new(&of.class, of.allocated_gigabytes);
    Settings {
        backup_retention_days: of.backup_retention_days,
        copy_tags_to_snapshot: of.copy_tags_to_snapshot,
        subnet_group: DEFAULT_GROUP.to_owned(),
        kms_key: of.kms_key.clone(),
        ..fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_protection_are_not_inherited() {
        let of = Settings {
            backup_retention_days: 7,
            deletion_protection: true,
            subnet_group: "private".to_owned(),
            security_groups: vec!["sg-1".to_owned()],
            parameter_group: Some("tuned".to_owned()),
            kms_key: Some("key".to_owned()),
            ..Settings::new("db.m7g.large", 100)
        };
        let expected = Settings {
            backup_retention_days: 7,
            kms_key: Some("key".to_owned()),
            ..Settings::new("db.m7g.large", 100)
        };
        assert_eq!(inherited(&of), expected);
    }
}

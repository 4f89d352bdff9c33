//! The operations of RDS over the Query protocol (Amazon RDS API Reference).

use std::collections::BTreeMap;
use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::RdsError;
use super::installation::Installation;
use super::instance::{Instance, InstanceSpec, Status};
use super::keeper::Wanted;
use super::{InstanceId, Rds};
use crate::front::call::{Call, Reply};
use crate::wire::{Parameters, QueryError, Xml, answer, parameters};

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

pub(super) fn answer_call(rds: &Arc<Rds>, call: &Call) -> Reply {
    let parameters = parameters(call);
    let outcome = match call.operation.as_str() {
        "CreateDBInstance" => create(rds, call, &parameters),
        "DescribeDBInstances" => describe(rds, call, &parameters),
        "DeleteDBInstance" => delete(rds, call, &parameters),
        "StopDBInstance" => switch(rds, call, &parameters, Wanted::Stopped),
        "StartDBInstance" => switch(rds, call, &parameters, Wanted::Running),
        _ => Err(QueryError::unknown_operation(call)),
    };
    outcome.unwrap_or_else(|error| error.reply(call, NAMESPACE))
}

fn create(rds: &Arc<Rds>, call: &Call, parameters: &Parameters) -> Result<Reply, QueryError> {
    let engine = parameters.required("Engine")?;
    if engine != "postgres" {
        return Err(RdsError::Invalid(format!("The sandbox has the engine postgres only, not {engine}")).query());
    }
    if let Some(version) = parameters.text("EngineVersion") {
        let installation = Installation::find().map_err(|error| error.query())?;
        if version.split('.').next() != Some(installation.major()) {
            let message = format!(
                "Cannot find version {version} for postgres: this machine has {}",
                installation.version
            );
            return Err(RdsError::Combination(message).query());
        }
    }
    let tags = parameters.list("Tags").into_iter();
    let tags: BTreeMap<_, _> = tags
        .filter_map(|tag| {
            Some((
                tag.text("Key")?.to_owned(),
                tag.text("Value").unwrap_or_default().to_owned(),
            ))
        })
        .collect();
    let spec = InstanceSpec {
        identifier: parameters.required("DBInstanceIdentifier")?.to_ascii_lowercase(),
        db_name: parameters.text("DBName").map(str::to_owned),
        username: parameters.required("MasterUsername")?.to_owned(),
        password: parameters.required("MasterUserPassword")?.to_owned(),
        port: parameters.parsed("Port")?.unwrap_or(5432),
        class: parameters.required("DBInstanceClass")?.to_owned(),
        allocated_gigabytes: parameters.parsed("AllocatedStorage")?.unwrap_or(20),
        tags,
    };
    let instance = rds.launch(&call.region, spec).map_err(|error| error.query())?;
    Ok(one(rds, call, &instance))
}

/// `DescribeDBInstances` gives at most 100 at a time.
const PAGE: usize = 100;

fn describe(rds: &Rds, call: &Call, parameters: &Parameters) -> Result<Reply, QueryError> {
    let wanted = parameters.text("DBInstanceIdentifier").map(identifier);
    let limit = parameters.parsed("MaxRecords")?.unwrap_or(PAGE).clamp(1, PAGE);
    let after = parameters.text("Marker").unwrap_or_default();
    let mut found: Vec<Instance> = rds.instances.read(|regions| {
        let all = regions.get(&call.region).into_iter().flat_map(BTreeMap::values);
        all.filter(|instance| {
            wanted.as_ref().map_or(instance.identifier.as_str() > after, |wanted| {
                *wanted == instance.identifier
            })
        })
        .cloned()
        .collect()
    });
    if let Some(wanted) = wanted.filter(|_| found.is_empty()) {
        return Err(RdsError::NotFound(wanted).query());
    }
    let marker = (found.len() > limit).then(|| found[limit - 1].identifier.clone());
    found.truncate(limit);
    Ok(answer(call, NAMESPACE, |xml| {
        xml.list_of("DBInstances", "DBInstance", &found, |xml, instance| {
            write(xml, rds, call, instance);
        });
        xml.optional("Marker", marker);
    }))
}

fn delete(rds: &Arc<Rds>, call: &Call, parameters: &Parameters) -> Result<Reply, QueryError> {
    let id = id(call, parameters)?;
    if parameters.parsed::<bool>("SkipFinalSnapshot")? != Some(true) {
        let message = match parameters.text("FinalDBSnapshotIdentifier") {
            None => "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified.",
            Some(_) => "The sandbox cannot take a final snapshot; specify SkipFinalSnapshot.",
        };
        return Err(RdsError::Combination(message.to_owned()).query());
    }
    let instance = rds
        .instance(&id)
        .ok_or_else(|| RdsError::NotFound(id.1.clone()).query())?;
    match &instance.status {
        Status::Creating | Status::Deleting => return Err(wrong_state(&instance, "available, stopped or failed")),
        Status::Available | Status::Starting | Status::Stopping | Status::Stopped | Status::Failed { .. } => {}
    }
    rds.set_status(&id, Status::Deleting);
    match rds.keepers().remove(&id) {
        Some(keeper) => drop(keeper.send_replace(Wanted::Deleted)),
        // It failed before it ever had a server.
        None => rds.keep(id.clone(), Wanted::Deleted),
    }
    let instance = Instance {
        status: Status::Deleting,
        ..instance
    };
    Ok(one(rds, call, &instance))
}

fn switch(rds: &Rds, call: &Call, parameters: &Parameters, wanted: Wanted) -> Result<Reply, QueryError> {
    let id = id(call, parameters)?;
    let instance = rds
        .instance(&id)
        .ok_or_else(|| RdsError::NotFound(id.1.clone()).query())?;
    let (needed, next) = if wanted == Wanted::Stopped {
        (Status::Available, Status::Stopping)
    } else {
        (Status::Stopped, Status::Starting)
    };
    if instance.status != needed {
        return Err(wrong_state(&instance, needed.name()));
    }
    rds.set_status(&id, next.clone());
    if let Some(keeper) = rds.keepers().get(&id) {
        keeper.send_replace(wanted);
    }
    let instance = Instance {
        status: next,
        ..instance
    };
    Ok(one(rds, call, &instance))
}

/// The answer of an operation on one instance.
fn one(rds: &Rds, call: &Call, instance: &Instance) -> Reply {
    answer(call, NAMESPACE, |xml| {
        xml.element("DBInstance", |xml| write(xml, rds, call, instance));
    })
}

fn wrong_state(instance: &Instance, needed: &'static str) -> QueryError {
    RdsError::WrongState {
        identifier: instance.identifier.clone(),
        status: instance.status.name(),
        needed,
    }
    .query()
}

fn id(call: &Call, parameters: &Parameters) -> Result<InstanceId, QueryError> {
    Ok((
        call.region.clone(),
        identifier(parameters.required("DBInstanceIdentifier")?),
    ))
}

/// From an identifier or an ARN; RDS keeps them in lower case.
fn identifier(text: &str) -> String {
    text.rsplit(':').next().unwrap_or(text).to_ascii_lowercase()
}

fn write(xml: &mut Xml, rds: &Rds, call: &Call, instance: &Instance) {
    let endpoint = rds.endpoint(instance);
    xml.text("DBInstanceIdentifier", &instance.identifier);
    xml.text("DBInstanceClass", &instance.class);
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
    xml.text("AllocatedStorage", instance.allocated_gigabytes);
    xml.text("AvailabilityZone", format!("{}a", call.region));
    xml.text("BackupRetentionPeriod", 0);
    xml.text("MultiAZ", false);
    xml.text("PubliclyAccessible", false);
    xml.text("StorageType", "gp3");
    xml.text("StorageEncrypted", false);
    xml.text("DeletionProtection", false);
    xml.text("DbiResourceId", &instance.resource_id);
    xml.text(
        "DBInstanceArn",
        format!("arn:aws:rds:{}:{}:db:{}", call.region, rds.account, instance.identifier),
    );
    xml.list_of("TagList", "Tag", &instance.tags, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn iso_8601(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

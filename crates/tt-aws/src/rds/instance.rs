//! Database instances: from the SDK's words to ours.

use aws_sdk_rds::{
    operation::describe_db_instances::DescribeDBInstancesError,
    types::{DbInstance, DbParameterGroupStatus, VpcSecurityGroupMembership},
};
use tt_environment::InstanceName;
use tt_execute::{PortError, PortErrorKind};
use tt_plan::{
    Arn,
    database::{Encryption, Endpoint, Instance, InstanceStatus},
};

use super::tags;
use crate::{
    ecs::deployment::at,
    error::{absent, failed, other},
};

const ACTION: &str = "read a database instance";

/// An instance by name, or nothing when there is none.
pub(crate) async fn find(rds: &aws_sdk_rds::Client, name: &InstanceName) -> Result<Option<Instance>, PortError> {
    let action = format!("describe database instance `{name}`");
    let answer = match rds
        .describe_db_instances()
        .db_instance_identifier(name.as_str())
        .send()
        .await
    {
        Ok(answer) => answer,
        Err(error)
            if error
                .as_service_error()
                .is_some_and(DescribeDBInstancesError::is_db_instance_not_found_fault) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(failed(action)(error)),
    };
    answer.db_instances().first().map(of).transpose()
}

/// All instances of the account in the client's Region.
pub(crate) async fn all(rds: &aws_sdk_rds::Client) -> Result<Vec<Instance>, PortError> {
    let mut pages = rds.describe_db_instances().into_paginator().items().send();
    let mut found = Vec::new();
    while let Some(instance) = pages.next().await {
        let instance = instance.map_err(failed("list the database instances"))?;
        // A name of another engine may be longer than ours may be; no restore of ours can meet it.
        if instance
            .db_instance_identifier()
            .is_some_and(|name| InstanceName::parse(name).is_ok())
        {
            found.push(of(&instance)?);
        }
    }
    Ok(found)
}

fn of(found: &DbInstance) -> Result<Instance, PortError> {
    let name = found
        .db_instance_identifier()
        .ok_or_else(|| absent(ACTION, "identifier"))?;
    let status = found.db_instance_status().ok_or_else(|| absent(ACTION, "status"))?;
    let count = |value: Option<i32>| value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0);
    Ok(Instance {
        name: InstanceName::parse(name).map_err(|error| other(ACTION, PortErrorKind::Unexpected, error.to_string()))?,
        arn: Arn::new(found.db_instance_arn().ok_or_else(|| absent(ACTION, "ARN"))?),
        status: InstanceStatus::of(status),
        percent: found
            .percent_progress()
            .and_then(|text| text.trim_end_matches('%').parse().ok()),
        engine: format!(
            "{} {}",
            found.engine().unwrap_or("unknown engine"),
            found.engine_version().unwrap_or_default()
        )
        .trim_end()
        .to_owned(),
        class: found
            .db_instance_class()
            .ok_or_else(|| absent(ACTION, "class"))?
            .to_owned(),
        endpoint: endpoint(found),
        created: found.instance_create_time().map(at).transpose()?,
        subnet_group: found
            .db_subnet_group()
            .and_then(|group| group.db_subnet_group_name())
            .map(ToOwned::to_owned),
        security_groups: found
            .vpc_security_groups()
            .iter()
            .filter_map(VpcSecurityGroupMembership::vpc_security_group_id)
            .map(ToOwned::to_owned)
            .collect(),
        parameter_group: found
            .db_parameter_groups()
            .first()
            .and_then(DbParameterGroupStatus::db_parameter_group_name)
            .map(ToOwned::to_owned),
        multi_az: found.multi_az().unwrap_or(false),
        storage_gigabytes: count(found.allocated_storage()),
        encryption: if found.storage_encrypted().unwrap_or(false) {
            Encryption::Kms(found.kms_key_id().map(ToOwned::to_owned))
        } else {
            Encryption::Plain
        },
        retention_days: count(found.backup_retention_period()),
        latest_restorable: found.latest_restorable_time().map(at).transpose()?,
        mark: tags::mark(found.tag_list()),
    })
}

fn endpoint(found: &DbInstance) -> Option<Endpoint> {
    let endpoint = found.endpoint()?;
    Some(Endpoint {
        host: endpoint.address()?.to_owned(),
        port: u16::try_from(endpoint.port()?).ok()?,
    })
}

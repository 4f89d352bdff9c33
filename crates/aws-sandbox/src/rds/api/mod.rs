//! The operations of RDS over the Query protocol (Amazon RDS API Reference).

mod automated;
mod groups;
mod instances;
mod modify;
mod page;
mod restores;
mod snapshots;
mod tags;
mod view;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Rds;
use super::error::RdsError;
use super::groups::GroupKind;
use super::instance::Instance;
use crate::front::call::{Call, Reply};
use crate::wire::{Parameters, QueryError, answer, parameters};

const NAMESPACE: &str = "http://rds.amazonaws.com/doc/2014-10-31/";

/// One call with its parameters.
struct Request<'c> {
    rds: &'c Arc<Rds>,
    call: &'c Call,
    parameters: Parameters,
}

type Answered = Result<Reply, QueryError>;

pub(super) fn answer_call(rds: &Arc<Rds>, call: &Call) -> Reply {
    let request = Request {
        rds,
        call,
        parameters: parameters(call),
    };
    let answered = match call.operation.as_str() {
        "CreateDBInstance" => instances::create(&request),
        "DescribeDBInstances" => instances::describe(&request),
        "DeleteDBInstance" => instances::delete(&request),
        "StopDBInstance" => instances::stop(&request),
        "StartDBInstance" => instances::start(&request),
        "RebootDBInstance" => instances::reboot(&request),
        "ModifyDBInstance" => modify::modify(&request),
        "CreateDBSnapshot" => snapshots::create(&request),
        "DescribeDBSnapshots" => snapshots::describe(&request),
        "CopyDBSnapshot" => snapshots::copy(&request),
        "DeleteDBSnapshot" => snapshots::delete(&request),
        "RestoreDBInstanceFromDBSnapshot" => restores::from_snapshot(&request),
        "RestoreDBInstanceToPointInTime" => restores::to_point_in_time(&request),
        "DescribeDBInstanceAutomatedBackups" => automated::describe(&request),
        "DeleteDBInstanceAutomatedBackup" => automated::delete(&request),
        "StartDBInstanceAutomatedBackupsReplication" => automated::start_replication(&request),
        "StopDBInstanceAutomatedBackupsReplication" => automated::stop_replication(&request),
        "CreateDBSubnetGroup" => groups::create(&request, GroupKind::Subnet),
        "CreateDBParameterGroup" => groups::create(&request, GroupKind::Parameter),
        "DescribeDBSubnetGroups" => groups::describe(&request, GroupKind::Subnet),
        "DescribeDBParameterGroups" => groups::describe(&request, GroupKind::Parameter),
        "DescribeAccountAttributes" => Ok(groups::quotas(&request)),
        "AddTagsToResource" => tags::add(&request),
        "ListTagsForResource" => tags::list(&request),
        "RemoveTagsFromResource" => tags::remove(&request),
        _ => Err(QueryError::unknown_operation(call)),
    };
    answered.unwrap_or_else(|error| error.reply(call, NAMESPACE))
}

impl From<RdsError> for QueryError {
    fn from(error: RdsError) -> Self {
        error.query()
    }
}

impl Request<'_> {
    fn region(&self) -> &str {
        &self.call.region
    }

    /// The tags under `Tags`.
    fn tags(&self) -> BTreeMap<String, String> {
        let tags = self.parameters.list("Tags").into_iter();
        let pair = |tag: &Parameters| {
            let value = tag.text("Value").unwrap_or_default();
            Some((tag.text("Key")?.to_owned(), value.to_owned()))
        };
        tags.filter_map(pair).collect()
    }

    /// The answer of an operation on one instance.
    fn one(&self, instance: &Instance) -> Reply {
        answer(self.call, NAMESPACE, |xml| {
            xml.element("DBInstance", |xml| view::instance(xml, self, instance));
        })
    }
}

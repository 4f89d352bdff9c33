//! Subnet groups, parameter groups, and what the account may have.

use super::super::arn::arn;
use super::super::groups::GroupKind;
use super::super::installation::Installation;
use super::page::page;
use super::{Answered, NAMESPACE, Request, view};
use crate::front::call::Reply;
use crate::wire::answer;

/// How many instances an account may have (Amazon RDS User Guide, "Quotas in Amazon RDS").
const INSTANCES: usize = 40;

pub(super) fn create(request: &Request<'_>, kind: GroupKind) -> Answered {
    let (name, description) = match kind {
        GroupKind::Subnet => ("DBSubnetGroupName", "DBSubnetGroupDescription"),
        GroupKind::Parameter => ("DBParameterGroupName", "Description"),
    };
    let name = request.parameters.required(name)?.to_ascii_lowercase();
    let description = request.parameters.required(description)?.to_owned();
    let region = request.region().to_owned();
    request
        .rds
        .groups
        .write(|regions| regions.entry(region).or_default().add(kind, &name, &description))?;
    let element = kind.to_string();
    Ok(answer(request.call, NAMESPACE, |xml| {
        xml.element(&element, |xml| view::group(xml, request, kind, &name, &description));
    }))
}

pub(super) fn describe(request: &Request<'_>, kind: GroupKind) -> Answered {
    let (parameter, list) = match kind {
        GroupKind::Subnet => ("DBSubnetGroupName", "DBSubnetGroups"),
        GroupKind::Parameter => ("DBParameterGroupName", "DBParameterGroups"),
    };
    let wanted = request.parameters.text(parameter).map(str::to_ascii_lowercase);
    let major = Installation::find()?.major().to_owned();
    let region = request.region().to_owned();
    let mut found = request.rds.groups.write(|regions| {
        let groups = regions.entry(region).or_default();
        if let Some(wanted) = &wanted {
            groups.check(kind, wanted)?;
        }
        Ok::<_, super::RdsError>(groups.list(kind, &major))
    })?;
    found.retain(|(name, _)| wanted.as_ref().is_none_or(|wanted| wanted == name));
    let (found, marker) = page(request, found, |(name, _)| name.clone())?;
    let element = kind.to_string();
    Ok(answer(request.call, NAMESPACE, |xml| {
        xml.list_of(list, &element, &found, |xml, (name, description)| {
            view::group(xml, request, kind, name, description);
        });
        xml.optional("Marker", marker);
    }))
}

/// `DescribeAccountAttributes`: what there is and what there may be.
pub(super) fn quotas(request: &Request<'_>) -> Reply {
    let rds = request.rds;
    let (used, most) = rds.vault.read(|vault| {
        let used = vault.manual_snapshots(request.region());
        (used, vault.quota.manual_snapshots)
    });
    let instances = rds
        .instances
        .read(|regions| regions.get(request.region()).map_or(0, std::collections::BTreeMap::len));
    let quotas = [("DBInstances", instances, INSTANCES), ("ManualSnapshots", used, most)];
    answer(request.call, NAMESPACE, |xml| {
        xml.list_of("AccountQuotas", "AccountQuota", quotas, |xml, (name, used, most)| {
            xml.text("AccountQuotaName", name);
            xml.text("Used", used);
            xml.text("Max", most);
        });
    })
}

/// The ARN of a group.
pub(super) fn group_arn(request: &Request<'_>, kind: GroupKind, name: &str) -> String {
    let short = match kind {
        GroupKind::Subnet => "subgrp",
        GroupKind::Parameter => "pg",
    };
    arn(request.region(), &request.rds.account, short, name)
}

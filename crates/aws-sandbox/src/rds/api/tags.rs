//! Tags of instances and snapshots.

use std::collections::BTreeMap;

use super::super::arn::Named;
use super::super::error::RdsError;
use super::{Answered, NAMESPACE, Request, view};
use crate::wire::{QueryError, answer, empty_answer};

pub(super) fn add(request: &Request<'_>) -> Answered {
    let tags = request.tags();
    on_tags(request, |existing| existing.extend(tags))?;
    Ok(empty_answer(request.call, NAMESPACE))
}

pub(super) fn remove(request: &Request<'_>) -> Answered {
    let keys = request.parameters.texts("TagKeys");
    on_tags(request, |existing| {
        existing.retain(|key, _| !keys.contains(&key.as_str()));
    })?;
    Ok(empty_answer(request.call, NAMESPACE))
}

pub(super) fn list(request: &Request<'_>) -> Answered {
    let tags = on_tags(request, |existing| existing.clone())?;
    Ok(answer(request.call, NAMESPACE, |xml| view::tags(xml, &tags)))
}

/// Does something to the tags of the resource that a request names.
fn on_tags<R>(request: &Request<'_>, act: impl FnOnce(&mut BTreeMap<String, String>) -> R) -> Result<R, QueryError> {
    let text = request.parameters.required("ResourceName")?;
    let named = Named::parse(text);
    let (region, name) = (request.region(), named.name);
    if named.region.as_deref() != Some(region) {
        return Err(RdsError::Invalid(format!("{text} is not the ARN of a resource of {region}")).into());
    }
    let acted = match named.kind.as_deref() {
        Some("db") => request.rds.instances.write(|regions| {
            let instance = regions.get_mut(region).and_then(|instances| instances.get_mut(&name));
            instance
                .map(|instance| act(&mut instance.tags))
                .ok_or_else(|| RdsError::NotFound(name.clone()))
        }),
        Some("snapshot") => request.rds.vault.write(|vault| {
            let snapshot = vault.snapshot_mut(region, &name);
            snapshot
                .map(|snapshot| act(&mut snapshot.tags))
                .ok_or_else(|| RdsError::SnapshotNotFound(name.clone()))
        }),
        Some(_) | None => Err(RdsError::Invalid(format!(
            "{text} is not the ARN of an instance or a snapshot"
        ))),
    };
    Ok(acted?)
}

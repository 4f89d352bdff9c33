//! Tags on clusters, services, task definitions and tasks.

use std::sync::Arc;

use aws_sdk_ecs::operation::list_tags_for_resource::{ListTagsForResourceInput, ListTagsForResourceOutput};
use aws_sdk_ecs::operation::tag_resource::{TagResourceInput, TagResourceOutput};
use aws_sdk_ecs::operation::untag_resource::{UntagResourceInput, UntagResourceOutput};
use aws_sdk_ecs::types::Tag;

use super::required;
use crate::ecs::engine::Engine;
use crate::ecs::error::EcsError;
use crate::ecs::world::{Region, ServiceKey, Tags};
use crate::ecs::{names, view};

/// Amazon ECS API Reference, `Tag`.
const MOST: usize = 50;

pub(super) fn parse(tags: &[Tag]) -> Result<Tags, EcsError> {
    if tags.len() > MOST {
        return Err(EcsError::invalid("Too many tags: a resource can have at most 50."));
    }
    tags.iter()
        .map(|tag| {
            let key = required("tag key", tag.key())?;
            if key.chars().count() > 128 || tag.value().is_some_and(|value| value.chars().count() > 256) {
                return Err(EcsError::invalid(
                    "A tag key has at most 128 and a tag value at most 256 characters.",
                ));
            }
            Ok((key.to_owned(), tag.value().unwrap_or_default().to_owned()))
        })
        .collect()
}

pub(super) fn tag(engine: &Arc<Engine>, region: &str, input: &TagResourceInput) -> Result<TagResourceOutput, EcsError> {
    let arn = required("resourceArn", input.resource_arn())?;
    let tags = parse(input.tags())?;
    engine.world.write(|world| {
        let known = tags_of(world.region_mut(region), arn)?;
        if known.len() + tags.keys().filter(|key| !known.contains_key(*key)).count() > MOST {
            return Err(EcsError::invalid("Too many tags: a resource can have at most 50."));
        }
        known.extend(tags);
        Ok(TagResourceOutput::builder().build())
    })
}

pub(super) fn untag(
    engine: &Arc<Engine>,
    region: &str,
    input: &UntagResourceInput,
) -> Result<UntagResourceOutput, EcsError> {
    let arn = required("resourceArn", input.resource_arn())?;
    engine.world.write(|world| {
        let known = tags_of(world.region_mut(region), arn)?;
        for key in input.tag_keys() {
            known.remove(key);
        }
        Ok(UntagResourceOutput::builder().build())
    })
}

pub(super) fn list(
    engine: &Arc<Engine>,
    region: &str,
    input: &ListTagsForResourceInput,
) -> Result<ListTagsForResourceOutput, EcsError> {
    let arn = required("resourceArn", input.resource_arn())?;
    let tags = engine
        .world
        .write(|world| tags_of(world.region_mut(region), arn).map(|tags| view::tags(tags)))?;
    Ok(ListTagsForResourceOutput::builder().set_tags(Some(tags)).build())
}

fn tags_of<'a>(region: &'a mut Region, arn: &str) -> Result<&'a mut Tags, EcsError> {
    let resource = arn
        .splitn(6, ':')
        .nth(5)
        .ok_or_else(|| EcsError::invalid("Invalid ARN."))?;
    let gone = || EcsError::invalid("The specified resource was not found.");
    let parts: Vec<&str> = resource.split('/').collect();
    match parts[..] {
        ["cluster", name] => region
            .clusters
            .get_mut(name)
            .map(|cluster| &mut cluster.tags)
            .ok_or_else(EcsError::cluster_not_found),
        ["service", cluster, name] => region
            .services
            .get_mut(&ServiceKey::new(cluster, name))
            .map(|service| &mut service.tags)
            .ok_or_else(EcsError::service_not_found),
        ["task", _, id] => region.tasks.get_mut(id).map(|task| &mut task.tags).ok_or_else(gone),
        ["task-definition", name] => {
            let (family, number) = names::task_definition_parts(name);
            let family = region.families.get_mut(family).ok_or_else(gone)?;
            let definition = family
                .revisions
                .iter_mut()
                .find(|definition| Some(definition.shape.0.revision()) == number);
            definition.map(|definition| &mut definition.tags).ok_or_else(gone)
        }
        _ => Err(gone()),
    }
}

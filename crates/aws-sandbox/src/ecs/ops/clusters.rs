//! Clusters.

use std::sync::Arc;

use aws_sdk_ecs::operation::create_cluster::{CreateClusterInput, CreateClusterOutput};
use aws_sdk_ecs::operation::delete_cluster::{DeleteClusterInput, DeleteClusterOutput};
use aws_sdk_ecs::operation::describe_clusters::{DescribeClustersInput, DescribeClustersOutput};
use aws_sdk_ecs::operation::list_clusters::{ListClustersInput, ListClustersOutput};

use super::page::page;
use super::{required, tags};
use crate::ecs::engine::Engine;
use crate::ecs::error::EcsError;
use crate::ecs::world::{Cluster, ServiceStatus};
use crate::ecs::{names, view};

/// Creating a cluster that exists gives the existing one, as on AWS.
pub(crate) fn create(
    engine: &Arc<Engine>,
    region: &str,
    input: &CreateClusterInput,
) -> Result<CreateClusterOutput, EcsError> {
    let name = input.cluster_name().unwrap_or("default").to_owned();
    if !names::is_valid(&name) {
        return Err(EcsError::invalid("Invalid cluster name."));
    }
    let tags = tags::parse(input.tags())?;
    let cluster = engine.world.write(|world| {
        let state = world.region_mut(region);
        let cluster = state
            .clusters
            .entry(name.clone())
            .or_insert(Cluster { name, tags })
            .clone();
        view::cluster(engine.place(region), state, &cluster)
    });
    Ok(CreateClusterOutput::builder().cluster(cluster).build())
}

#[expect(clippy::unnecessary_wraps, reason = "operations have one signature")]
pub(crate) fn describe(
    engine: &Arc<Engine>,
    region: &str,
    input: &DescribeClustersInput,
) -> Result<DescribeClustersOutput, EcsError> {
    let asked = if input.clusters().is_empty() {
        vec!["default".to_owned()]
    } else {
        input.clusters().to_vec()
    };
    let place = engine.place(region);
    let mut output = DescribeClustersOutput::builder()
        .set_clusters(Some(Vec::new()))
        .set_failures(Some(Vec::new()));
    engine.world.read(|world| {
        let state = world.region(region);
        for name in asked {
            output = match state.cluster(Some(&name)) {
                Ok(cluster) => std::mem::take(&mut output).clusters(view::cluster(place, state, cluster)),
                Err(_) => std::mem::take(&mut output).failures(view::missing(place.cluster(names::last(&name)))),
            };
        }
    });
    Ok(output.build())
}

pub(crate) fn list(
    engine: &Arc<Engine>,
    region: &str,
    input: &ListClustersInput,
) -> Result<ListClustersOutput, EcsError> {
    let place = engine.place(region);
    let arns = engine.world.read(|world| {
        world
            .region(region)
            .clusters
            .keys()
            .map(|name| place.cluster(name))
            .collect()
    });
    let (arns, token) = page(arns, input.next_token(), input.max_results(), 100)?;
    Ok(ListClustersOutput::builder()
        .set_cluster_arns(Some(arns))
        .set_next_token(token)
        .build())
}

pub(crate) fn delete(
    engine: &Arc<Engine>,
    region: &str,
    input: &DeleteClusterInput,
) -> Result<DeleteClusterOutput, EcsError> {
    let name = required("cluster", input.cluster())?;
    engine.world.write(|world| {
        let state = world.region_mut(region);
        let cluster = state.cluster(Some(name))?.clone();
        if state
            .services
            .values()
            .any(|service| service.cluster == cluster.name && service.status != ServiceStatus::Inactive)
        {
            return Err(EcsError::in_use(
                "ClusterContainsServicesException",
                "The Cluster cannot be deleted while Services are active.",
            ));
        }
        if state
            .tasks
            .values()
            .any(|task| task.cluster == cluster.name && task.is_present())
        {
            return Err(EcsError::in_use(
                "ClusterContainsTasksException",
                "The Cluster cannot be deleted while Tasks are active.",
            ));
        }
        state.clusters.remove(&cluster.name);
        let shown = view::cluster(engine.place(region), state, &cluster);
        Ok(DeleteClusterOutput::builder().cluster(shown).build())
    })
}

//! When each stage of each deployment was entered and left: what an orchestrator's own overhead is measured against.

use serde::Serialize;
use time::OffsetDateTime;

use super::engine::Engine;
use super::rollout::StageRecord;
use super::view;

/// One service deployment, as `/_sandbox/deployments` shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timeline {
    region: String,
    cluster: String,
    service: String,
    service_deployment_arn: String,
    status: String,
    #[serde(with = "time::serde::rfc3339")]
    created: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated: OffsetDateTime,
    stages: Vec<Visit>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Visit {
    stage: &'static str,
    direction: super::rollout::Direction,
    #[serde(with = "time::serde::rfc3339")]
    entered: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    left: Option<OffsetDateTime>,
    /// Milliseconds that only a pause held it; from then on it could have gone on.
    held_ms: u64,
}

/// Every deployment of every service, oldest first within a service.
pub(crate) fn timelines(engine: &Engine) -> Vec<Timeline> {
    engine.world.read(|world| {
        let services = world
            .regions()
            .flat_map(|(name, region)| region.services.values().map(move |service| (name, service)));
        services
            .flat_map(|(region, service)| {
                service.deployments.iter().map(move |deployment| Timeline {
                    region: region.clone(),
                    cluster: service.cluster.clone(),
                    service: service.name.clone(),
                    service_deployment_arn: deployment.arn.clone(),
                    status: view::deployment_status(&deployment.rollout).as_str().to_owned(),
                    created: deployment.created,
                    updated: deployment.updated,
                    stages: deployment.rollout.stages.iter().map(Visit::of).collect(),
                })
            })
            .collect()
    })
}

impl Visit {
    fn of(record: &StageRecord) -> Self {
        Self {
            stage: record.stage.as_str(),
            direction: record.direction,
            entered: record.entered,
            left: record.left,
            held_ms: record.held_ms,
        }
    }
}

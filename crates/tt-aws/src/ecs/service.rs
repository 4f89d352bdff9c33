//! The service as ECS describes it.

use aws_sdk_ecs::types::{LoadBalancer, Service};
use tt_environment::Environment;
use tt_execute::PortError;
use tt_plan::{Arn, Deployment, ServiceState, TrafficSplit};

use crate::{
    clients::Clients,
    ecs::{
        deployment::{Cache, describe, live_rollout, to_deployment},
        revision::{Definition, definition},
    },
    elb,
    error::{absent, failed, not_found},
};

/// The SDK's view of the service, or why there is none.
pub(crate) async fn describe_service(clients: &Clients, environment: &Environment) -> Result<Service, PortError> {
    let wanted = &environment.service;
    let action = format!("describe service `{}` in cluster `{}`", wanted.name, wanted.cluster);
    let answer = clients
        .ecs
        .describe_services()
        .cluster(wanted.cluster.as_str())
        .services(wanted.name.as_str())
        .send()
        .await
        .map_err(failed(action.clone()))
        .map_err(|mut error| {
            if error.kind == tt_execute::PortErrorKind::NotFound {
                error.hint = Some(format!(
                    "no cluster `{}` in {}; correct `service.cluster`, or `aws.region`",
                    wanted.cluster, environment.aws.region
                ));
            }
            error
        })?;
    let active = answer
        .services
        .unwrap_or_default()
        .into_iter()
        .find(|service| service.status() != Some("INACTIVE"));
    active.ok_or_else(|| {
        let hint = format!(
            "correct `service.name` in {}, or create the service (Terraform module `service`)",
            environment.file.display()
        );
        not_found(action, "the cluster has no such service", hint)
    })
}

/// The service with its deployment in flight and its routes.
pub(crate) async fn state(
    clients: &Clients,
    environment: &Environment,
    cache: &Cache,
) -> Result<ServiceState, PortError> {
    let service = describe_service(clients, environment).await?;
    let deployment = in_flight(clients, environment, &service, cache).await?;
    let action = "read the service";
    let serving = match deployment.as_ref().and_then(|deployment| deployment.from.as_ref()) {
        Some(from) => from.task_definition.as_str(),
        None => primary(&service).ok_or_else(|| absent(action, "task definition"))?,
    };
    let (definition, traffic) = tokio::try_join!(definition(clients, serving), traffic(clients, &service))?;
    let count = |value: i32| u32::try_from(value).unwrap_or(0);
    Ok(ServiceState {
        arn: Arn::new(service.service_arn().ok_or_else(|| absent(action, "ARN"))?),
        live: definition.revision(&environment.service.container)?,
        desired: count(service.desired_count()),
        running: count(service.running_count()),
        deployment,
        rollout: live_rollout(service.deployment_configuration())?,
        traffic,
        missing_roles: missing_roles(&service, &definition),
    })
}

/// What the service settled on. Its own `taskDefinition` is what was last asked for, which after a rollback need not be the same.
fn primary(service: &Service) -> Option<&str> {
    let primary = service
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"));
    primary
        .and_then(|deployment| deployment.task_definition())
        .or_else(|| service.task_definition())
}

async fn in_flight(
    clients: &Clients,
    environment: &Environment,
    service: &Service,
    cache: &Cache,
) -> Result<Option<Deployment>, PortError> {
    let Some(arn) = service.current_service_deployment() else {
        return Ok(None);
    };
    let Some(found) = describe(clients, &Arn::new(arn)).await? else {
        return Ok(None);
    };
    let deployment = to_deployment(clients, environment, cache, &found).await?;
    Ok((!deployment.status.ended()).then_some(deployment))
}

async fn traffic(clients: &Clients, service: &Service) -> Result<TrafficSplit, PortError> {
    let Some(balancer) = service.load_balancers().first() else {
        return Ok(TrafficSplit {
            production: None,
            test: None,
            groups: Vec::new(),
        });
    };
    let (production, test) = rules(balancer);
    let (production, test) = tokio::try_join!(route(clients, production), route(clients, test))?;
    let advanced = balancer.advanced_configuration();
    let names = [
        balancer.target_group_arn(),
        advanced.and_then(|advanced| advanced.alternate_target_group_arn()),
    ];
    let mut groups = Vec::new();
    for name in names.into_iter().flatten() {
        groups.push(elb::health(clients, &Arn::new(name)).await?);
    }
    Ok(TrafficSplit {
        production,
        test,
        groups,
    })
}

async fn route(clients: &Clients, rule: Option<Arn>) -> Result<Option<tt_plan::Route>, PortError> {
    match rule {
        Some(rule) => Ok(Some(elb::route(clients, &rule).await?.0)),
        None => Ok(None),
    }
}

/// The production and the test listener rule.
pub(crate) fn rules(balancer: &LoadBalancer) -> (Option<Arn>, Option<Arn>) {
    let advanced = balancer.advanced_configuration();
    let production = advanced
        .and_then(|advanced| advanced.production_listener_rule())
        .map(Arn::new);
    (
        production,
        advanced
            .and_then(|advanced| advanced.test_listener_rule())
            .map(Arn::new),
    )
}

fn missing_roles(service: &Service, definition: &Definition) -> Vec<&'static str> {
    let mut missing = Vec::new();
    let moves_rules = service
        .load_balancers()
        .iter()
        .filter_map(LoadBalancer::advanced_configuration)
        .all(|advanced| advanced.role_arn().is_some());
    if !moves_rules {
        missing.push("role that lets ECS move listener rules (advancedConfiguration.roleArn)");
    }
    if definition.sdk.execution_role_arn().is_none() {
        missing.push("task execution role (executionRoleArn), which reads secrets and writes logs");
    }
    missing
}

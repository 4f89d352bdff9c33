//! Services: creating, looking at, deleting. Changing one is in `update`.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_sdk_ecs::operation::create_service::{CreateServiceInput, CreateServiceOutput};
use aws_sdk_ecs::operation::delete_service::{DeleteServiceInput, DeleteServiceOutput};
use aws_sdk_ecs::operation::describe_services::{DescribeServicesInput, DescribeServicesOutput};
use aws_sdk_ecs::operation::list_services::{ListServicesInput, ListServicesOutput};
use aws_sdk_ecs::types::{
    DeploymentConfiguration, DeploymentControllerType, LoadBalancer, SchedulingStrategy, ServiceConnectConfiguration,
    ServiceField,
};

use super::page::page;
use super::update::{NewDeployment, begin_deployment};
use super::{required, tags};
use crate::clock;
use crate::ecs::codec::Wire;
use crate::ecs::engine::Engine;
use crate::ecs::error::EcsError;
use crate::ecs::world::{Definition, Service, ServiceKey, ServiceStatus, Steadiness};
use crate::ecs::{names, strategy, view};

/// Amazon ECS API Reference, `DescribeServices`.
const MOST_DESCRIBED: usize = 10;

pub(crate) fn create(
    engine: &Arc<Engine>,
    region: &str,
    input: &CreateServiceInput,
) -> Result<CreateServiceOutput, EcsError> {
    let name = required("serviceName", input.service_name())?.to_owned();
    if !names::is_valid(&name) {
        return Err(EcsError::invalid("Invalid service name."));
    }
    refuse_what_is_not_played(input)?;
    let desired = count("desiredCount", input.desired_count().unwrap_or(0))?;
    let task_definition = required("taskDefinition", input.task_definition())?.to_owned();
    let nothing = DeploymentConfiguration::builder().build();
    let configuration = strategy::merged(&nothing, input.deployment_configuration().cloned());
    let tags = tags::parse(input.tags())?;
    let place = engine.place(region);
    let now = clock::now();
    let answer = engine.world.write(|world| {
        let state = world.region_mut(region);
        let cluster = state.cluster(input.cluster())?.name.clone();
        let key = ServiceKey::new(&cluster, &name);
        if state
            .services
            .get(&key)
            .is_some_and(|service| service.status != ServiceStatus::Inactive)
        {
            return Err(EcsError::invalid("Creation of service was not idempotent."));
        }
        let definition = state.definition(&task_definition)?.clone();
        check_load_balancers(input.load_balancers(), &definition, &configuration)?;
        let mut service = Service {
            arn: place.service(&cluster, &name),
            name,
            cluster,
            status: ServiceStatus::Active,
            created: now,
            desired,
            task_definition: definition.arn().to_owned(),
            configuration: Wire(configuration),
            load_balancers: input.load_balancers().iter().cloned().map(Wire).collect(),
            network: input.network_configuration().cloned().map(Wire),
            launch_type: input
                .launch_type()
                .map_or("FARGATE", |launch| launch.as_str())
                .to_owned(),
            grace_seconds: input.health_check_grace_period_seconds().unwrap_or(0),
            tags,
            revisions: Vec::new(),
            deployments: Vec::new(),
            events: VecDeque::new(),
            steadiness: Steadiness::Moving,
        };
        begin_deployment(
            engine,
            region,
            &mut service,
            &definition,
            NewDeployment { tasks: &[], now },
        )?;
        state.services.insert(key.clone(), service);
        Ok(state
            .services
            .get(&key)
            .map(|service| view::service(place, state, service)))
    })?;
    engine.turn();
    Ok(CreateServiceOutput::builder().set_service(answer).build())
}

/// Better an error than a service that silently lacks half of what was asked for.
fn refuse_what_is_not_played(input: &CreateServiceInput) -> Result<(), EcsError> {
    let connects = input
        .service_connect_configuration()
        .is_some_and(ServiceConnectConfiguration::enabled);
    let missing = if input
        .deployment_controller()
        .is_some_and(|controller| *controller.r#type() != DeploymentControllerType::Ecs)
    {
        "deployment controllers other than ECS"
    } else if input
        .scheduling_strategy()
        .is_some_and(|scheduling| *scheduling != SchedulingStrategy::Replica)
    {
        "scheduling strategies other than REPLICA"
    } else if connects {
        "Service Connect"
    } else if !input.service_registries().is_empty() {
        "service discovery"
    } else if !input.volume_configurations().is_empty() {
        "volumes"
    } else if !input.vpc_lattice_configurations().is_empty() {
        "VPC Lattice"
    } else {
        return Ok(());
    };
    Err(EcsError::unsupported(format!("The sandbox has no {missing}.")))
}

/// What a load balancer of a service must name.
pub(super) fn check_load_balancers(
    balancers: &[LoadBalancer],
    definition: &Definition,
    configuration: &DeploymentConfiguration,
) -> Result<(), EcsError> {
    for balancer in balancers {
        required("targetGroupArn", balancer.target_group_arn())?;
        let container = required("containerName", balancer.container_name())?;
        let port = balancer
            .container_port()
            .ok_or_else(|| EcsError::missing("containerPort"))?;
        if u16::try_from(port).is_err() {
            return Err(EcsError::invalid("containerPort must be between 0 and 65535."));
        }
        if !definition
            .shape
            .0
            .container_definitions()
            .iter()
            .any(|known| known.name() == Some(container))
        {
            return Err(EcsError::invalid(format!(
                "The container {container} does not exist in the task definition."
            )));
        }
        if !strategy::shifts_traffic(configuration) {
            continue;
        }
        let Some(advanced) = balancer.advanced_configuration() else {
            return Err(EcsError::invalid(
                "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy.",
            ));
        };
        required("alternateTargetGroupArn", advanced.alternate_target_group_arn())?;
        required("productionListenerRule", advanced.production_listener_rule())?;
        required("roleArn", advanced.role_arn())?;
    }
    Ok(())
}

pub(super) fn count(field: &str, value: i32) -> Result<u32, EcsError> {
    u32::try_from(value).map_err(|_| EcsError::invalid(format!("{field} cannot be negative.")))
}

pub(crate) fn describe(
    engine: &Arc<Engine>,
    region: &str,
    input: &DescribeServicesInput,
) -> Result<DescribeServicesOutput, EcsError> {
    if input.services().is_empty() {
        return Err(EcsError::invalid("Services cannot be empty."));
    }
    if input.services().len() > MOST_DESCRIBED {
        return Err(EcsError::invalid(
            "Too many services: at most 10 can be described at once.",
        ));
    }
    let place = engine.place(region);
    engine.world.read(|world| {
        let state = world.region(region);
        let cluster = state.cluster(input.cluster())?.name.clone();
        let (mut services, mut failures) = (Vec::new(), Vec::new());
        for name in input.services() {
            match state
                .service_key(Some(&cluster), name)
                .ok()
                .and_then(|key| state.services.get(&key))
            {
                Some(service) => {
                    let mut shown = view::service(place, state, service);
                    if !input.include().contains(&ServiceField::Tags) {
                        shown.tags = None;
                    }
                    services.push(shown);
                }
                None => failures.push(view::missing(place.service(&cluster, names::last(name)))),
            }
        }
        Ok(DescribeServicesOutput::builder()
            .set_services(Some(services))
            .set_failures(Some(failures))
            .build())
    })
}

pub(crate) fn list(
    engine: &Arc<Engine>,
    region: &str,
    input: &ListServicesInput,
) -> Result<ListServicesOutput, EcsError> {
    let arns = engine.world.read(|world| {
        let state = world.region(region);
        let cluster = state.cluster(input.cluster())?;
        let services = state
            .services
            .values()
            .filter(|service| service.cluster == cluster.name && service.status == ServiceStatus::Active);
        Ok(services.map(|service| service.arn.clone()).collect())
    })?;
    let (arns, token) = page(arns, input.next_token(), input.max_results(), 100)?;
    Ok(ListServicesOutput::builder()
        .set_service_arns(Some(arns))
        .set_next_token(token)
        .build())
}

pub(crate) fn delete(
    engine: &Arc<Engine>,
    region: &str,
    input: &DeleteServiceInput,
) -> Result<DeleteServiceOutput, EcsError> {
    let name = required("service", input.service())?;
    let place = engine.place(region);
    let shown = engine.world.write(|world| {
        let state = world.region_mut(region);
        let service = state.active_service_mut(input.cluster(), name)?;
        if service.desired > 0 && !input.force().unwrap_or(false) {
            return Err(EcsError::invalid(
                "The service cannot be stopped while it is scaled above 0.",
            ));
        }
        service.desired = 0;
        service.status = ServiceStatus::Draining;
        if let Some(current) = service.current_mut() {
            let reason = "Service deployment stopped because the service was deleted.".to_owned();
            current.rollout.give_way(reason, clock::now());
        }
        let key = service.key();
        Ok(state
            .services
            .get(&key)
            .map(|service| view::service(place, state, service)))
    })?;
    engine.turn();
    Ok(DeleteServiceOutput::builder().set_service(shown).build())
}

/// Whether a service of this name exists and has not been deleted.
pub(crate) fn exists(engine: &Engine, region: &str, cluster: &str, name: &str) -> bool {
    engine.world.read(|world| {
        let service = world.region(region).services.get(&ServiceKey::new(cluster, name));
        service.is_some_and(|service| service.status != ServiceStatus::Inactive)
    })
}

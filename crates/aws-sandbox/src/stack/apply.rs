//! Creates what a stack names, in the order its parts need each other. What exists already stays as it is.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ecs::error::BuildError;
use aws_sdk_ecs::operation::create_cluster::CreateClusterInput;
use aws_sdk_ecs::operation::create_service::CreateServiceInput;
use aws_sdk_ecs::operation::register_task_definition::RegisterTaskDefinitionInput;
use aws_sdk_ecs::types::{
    AdvancedConfiguration, AwsVpcConfiguration, Compatibility, ContainerDefinition, DeploymentConfiguration,
    DeploymentStrategy, KeyValuePair, LaunchType, LoadBalancer, LogConfiguration, LogDriver, NetworkConfiguration,
    NetworkMode, PortMapping, Secret,
};

use super::file::{self, Database, Service, Stack, Strategy};
use crate::cloudwatch::{AlarmSpec, Dimension, Metric};
use crate::ecs::{self, EcsError};
use crate::elb::{ElbError, HealthCheck, Matcher, TargetGroupSpec};
use crate::rds::{InstanceSpec, RdsError, Settings};
use crate::sandbox::Cause;
use crate::services::Services;

/// A part of a stack could not be created.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The load balancer, its groups or its listeners.
    #[error("could not create the load balancer `{name}`")]
    LoadBalancer {
        /// Its name.
        name: String,
        /// What Elastic Load Balancing said.
        #[source]
        cause: Cause,
    },
    /// The cluster, the task definition or the service.
    #[error("could not create the service `{name}`")]
    Service {
        /// Its name.
        name: String,
        /// What ECS said.
        #[source]
        cause: Cause,
    },
    /// A required field of a shape is missing.
    #[error("could not describe the service to ECS")]
    Shape(#[source] BuildError),
    /// The database instance.
    #[error("could not create the database `{identifier}`")]
    Database {
        /// Its identifier.
        identifier: String,
        /// What RDS said.
        #[source]
        cause: Cause,
    },
    /// A bucket.
    #[error("could not create the bucket `{name}`")]
    Bucket {
        /// Its name.
        name: String,
        /// What S3 said.
        #[source]
        cause: Cause,
    },
    /// An alarm.
    #[error("could not create the alarm `{name}`")]
    Alarm {
        /// Its name.
        name: String,
        /// What CloudWatch said.
        #[source]
        cause: Cause,
    },
    /// The new state cannot be written.
    #[error("could not write the state")]
    State(#[source] Cause),
}

pub(crate) async fn apply(services: &Services, stack: &Stack) -> Result<(), StackError> {
    if let Some(database) = &stack.database {
        create_database(services, &stack.region, database).await?;
    }
    for name in &stack.buckets {
        services
            .s3
            .ensure_bucket(&stack.region, name)
            .map_err(|cause| StackError::Bucket {
                name: name.clone(),
                cause: cause.into(),
            })?;
    }
    let name = stack.load_balancer.name.clone();
    let balancer = create_load_balancer(services, stack)
        .await
        .map_err(|cause| StackError::LoadBalancer {
            name,
            cause: cause.into(),
        })?;
    create_service(services, stack, &balancer)?;
    for alarm in &stack.alarms {
        create_alarm(services, stack, &balancer, alarm)?;
    }
    Ok(())
}

/// The password is made once and only ever written into the secret.
async fn create_database(services: &Services, region: &str, database: &Database) -> Result<(), StackError> {
    if services.secrets.value(region, &database.url_secret).is_some() {
        return Ok(());
    }
    let password = uuid::Uuid::new_v4().simple().to_string();
    let spec = InstanceSpec {
        identifier: database.identifier.clone(),
        db_name: Some(database.name.clone()),
        username: database.username.clone(),
        password: password.clone(),
        port: 5432,
        settings: Settings {
            backup_retention_days: database.backup_retention_days,
            ..Settings::new("db.t4g.micro", 20)
        },
        tags: BTreeMap::new(),
    };
    let failed = |cause: RdsError| StackError::Database {
        identifier: database.identifier.clone(),
        cause: cause.into(),
    };
    let endpoint = services.rds.create(region, spec).await.map_err(failed)?;
    let url = format!(
        "postgres://{}:{password}@{}:{}/{}",
        database.username, endpoint.host, endpoint.port, database.name
    );
    services.secrets.create(region, &database.url_secret, &url);
    Ok(())
}

/// What the service and the alarms need to know of it.
struct Balancer {
    arn: String,
    blue: String,
    green: String,
    production_rule: String,
    test_rule: String,
}

async fn create_load_balancer(services: &Services, stack: &Stack) -> Result<Balancer, ElbError> {
    let spec = &stack.load_balancer;
    let arn = services.elb.create_load_balancer(&stack.region, &spec.name).await?;
    let blue = services.elb.create_target_group(&stack.region, group(stack, "blue"))?;
    let green = services.elb.create_target_group(&stack.region, group(stack, "green"))?;
    let forward = [(blue.clone(), 100), (green.clone(), 0)];
    let mut rules = Vec::new();
    for port in [spec.production_port, spec.test_port] {
        // An existing listener keeps its weights: deployments have moved them.
        let listener = match services.elb.listener_at(&arn, port) {
            Some(listener) => listener,
            None => services.elb.create_listener(&arn, port, &forward).await?,
        };
        rules.push(
            services
                .elb
                .default_rule(&listener)
                .ok_or(ElbError::ListenerNotFound(listener))?,
        );
    }
    let mut rules = rules.into_iter();
    let (production_rule, test_rule) = (rules.next().unwrap_or_default(), rules.next().unwrap_or_default());
    Ok(Balancer {
        arn,
        blue,
        green,
        production_rule,
        test_rule,
    })
}

fn group(stack: &Stack, colour: &str) -> TargetGroupSpec {
    let file::LoadBalancer {
        name,
        health_check,
        deregistration_delay_seconds,
        ..
    } = &stack.load_balancer;
    TargetGroupSpec {
        name: format!("{name}-{colour}"),
        port: stack.service.port,
        health_check: HealthCheck {
            path: health_check.path.clone(),
            port: None,
            interval: Duration::from_secs(health_check.interval_seconds.get().into()),
            timeout: Duration::from_secs(health_check.timeout_seconds.get().into()),
            healthy_threshold: health_check.healthy_threshold,
            unhealthy_threshold: health_check.unhealthy_threshold,
            matcher: Matcher::default(),
        },
        deregistration_delay: Duration::from_secs((*deregistration_delay_seconds).into()),
    }
}

fn create_service(services: &Services, stack: &Stack, balancer: &Balancer) -> Result<(), StackError> {
    let region = &stack.region;
    let spec = &stack.service;
    let failed = |cause: EcsError| StackError::Service {
        name: spec.name.clone(),
        cause: cause.into(),
    };
    if ecs::service_exists(&services.ecs, region, &stack.cluster, &spec.name) {
        return Ok(());
    }
    let cluster = CreateClusterInput::builder()
        .cluster_name(&stack.cluster)
        .build()
        .map_err(StackError::Shape)?;
    ecs::clusters::create(&services.ecs, region, &cluster).map_err(failed)?;
    let definition = task_definition(region, spec).map_err(StackError::Shape)?;
    let registered = ecs::definitions::register(&services.ecs, region, &definition).map_err(failed)?;
    let arn = registered
        .task_definition()
        .and_then(|definition| definition.task_definition_arn())
        .unwrap_or_default();
    let service = service(stack, balancer, arn).map_err(StackError::Shape)?;
    ecs::services::create(&services.ecs, region, &service).map_err(failed)?;
    Ok(())
}

fn task_definition(region: &str, spec: &Service) -> Result<RegisterTaskDefinitionInput, BuildError> {
    let variable = |(name, value): (&String, &String)| KeyValuePair::builder().name(name).value(value).build();
    let secret = |(name, secret): (&String, &String)| Secret::builder().name(name).value_from(secret).build();
    let log = LogConfiguration::builder()
        .log_driver(LogDriver::Awslogs)
        .options("awslogs-group", &spec.log_group)
        .options("awslogs-region", region)
        .options("awslogs-stream-prefix", "ecs")
        .options("awslogs-create-group", "true")
        .build()?;
    let container = ContainerDefinition::builder()
        .name(&spec.container)
        .image(&spec.image)
        .essential(true)
        .port_mappings(PortMapping::builder().container_port(spec.port.into()).build())
        .set_command(Some(spec.command.clone()).filter(|command| !command.is_empty()))
        .set_environment(Some(spec.environment.iter().map(variable).collect()))
        .set_secrets(Some(spec.secrets.iter().map(secret).collect::<Result<_, _>>()?))
        .stop_timeout(i32::try_from(spec.stop_timeout_seconds).unwrap_or(i32::MAX))
        .log_configuration(log)
        .build();
    RegisterTaskDefinitionInput::builder()
        .family(&spec.family)
        .network_mode(NetworkMode::Awsvpc)
        .requires_compatibilities(Compatibility::Fargate)
        .execution_role_arn("arn:aws:iam::000000000000:role/ecs-task-execution")
        .cpu(spec.cpu.to_string())
        .memory(spec.memory.to_string())
        // The role that reads secrets and writes logs; the sandbox checks no permission, but deploy tools look for it.
        .container_definitions(container)
        .build()
}

fn service(stack: &Stack, balancer: &Balancer, task_definition: &str) -> Result<CreateServiceInput, BuildError> {
    let spec = &stack.service;
    let strategy = match spec.deployment.strategy {
        Strategy::Rolling => DeploymentStrategy::Rolling,
        Strategy::BlueGreen => DeploymentStrategy::BlueGreen,
        Strategy::Linear => DeploymentStrategy::Linear,
        Strategy::Canary => DeploymentStrategy::Canary,
    };
    let advanced = AdvancedConfiguration::builder()
        .alternate_target_group_arn(&balancer.green)
        .production_listener_rule(&balancer.production_rule)
        .test_listener_rule(&balancer.test_rule)
        .role_arn("arn:aws:iam::000000000000:role/ecs-blue-green")
        .build();
    let attached = LoadBalancer::builder()
        .target_group_arn(&balancer.blue)
        .container_name(&spec.container)
        .container_port(spec.port.into())
        .advanced_configuration(advanced)
        .build();
    let network = AwsVpcConfiguration::builder().subnets("subnet-sandbox").build()?;
    CreateServiceInput::builder()
        .cluster(&stack.cluster)
        .service_name(&spec.name)
        .task_definition(task_definition)
        .desired_count(i32::try_from(spec.desired_count).unwrap_or(i32::MAX))
        .launch_type(LaunchType::Fargate)
        .load_balancers(attached)
        .network_configuration(NetworkConfiguration::builder().awsvpc_configuration(network).build())
        .deployment_configuration(
            DeploymentConfiguration::builder()
                .strategy(strategy)
                .bake_time_in_minutes(i32::from(spec.deployment.bake_minutes))
                .build(),
        )
        .build()
}

fn create_alarm(
    services: &Services,
    stack: &Stack,
    balancer: &Balancer,
    alarm: &file::Alarm,
) -> Result<(), StackError> {
    if services.cloudwatch.alarm_state(&stack.region, &alarm.name).is_some() {
        return Ok(());
    }
    let value = balancer
        .arn
        .split_once("loadbalancer/")
        .map_or(balancer.arn.as_str(), |(_, value)| value);
    let dimension = Dimension {
        name: "LoadBalancer".to_owned(),
        value: value.to_owned(),
    };
    let metric = Metric {
        namespace: "AWS/ApplicationELB".to_owned(),
        name: alarm.metric.clone(),
        dimensions: vec![dimension],
    };
    let spec = AlarmSpec::on(
        &alarm.name,
        metric,
        &alarm.statistic,
        alarm.period_seconds.get(),
        alarm.evaluation_periods.get(),
        alarm.threshold,
    );
    services
        .cloudwatch
        .put_alarm(&stack.region, spec)
        .map_err(|cause| StackError::Alarm {
            name: alarm.name.clone(),
            cause: cause.into(),
        })
}

//! A sandbox of its own for each test, with a service behind a load balancer, and users who keep asking it.

#![allow(dead_code, unused_imports, reason = "every test binary uses another part")]

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use aws_sandbox::image::{self, Destination, Program};
use aws_sandbox::{Config, Sandbox, Stack, StartError, TaskRuntime};
use aws_sdk_ecs::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ecs::types::{
    CanaryConfiguration, Deployment, DeploymentAlarms, DeploymentCircuitBreaker, DeploymentConfiguration,
    DeploymentLifecycleHook, DeploymentLifecycleHookAction, DeploymentLifecycleHookStage,
    DeploymentLifecycleHookStatus, DeploymentLifecycleHookTargetType, DeploymentStrategy, Service, ServiceDeployment,
    ServiceDeploymentStatus,
};
use tempfile::TempDir;

mod users;

pub(crate) use users::{Users, assert_only};

pub(crate) const CLUSTER: &str = "demo";
pub(crate) const SERVICE: &str = "web";
/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);
const TICK: Duration = Duration::from_millis(20);

const STACK: &str = "
region: eu-central-1
cluster: demo
load_balancer:
  name: web
  production_port: 8080
  test_port: 8081
  health_check: {path: /readyz, interval_seconds: 1, timeout_seconds: 1, healthy_threshold: 2, unhealthy_threshold: 2}
  deregistration_delay_seconds: 1
service:
  name: web
  family: web
  container: app
  image: web:none
  port: 3000
  cpu: 256
  memory: 512
  log_group: /ecs/web
  stop_timeout_seconds: 5
  deployment: {strategy: BLUE_GREEN}
alarms:
  - {name: web-errors, metric: HTTPCode_Target_5XX_Count, statistic: Sum, period_seconds: 1, evaluation_periods: 1, threshold: 0}
";

/// A sandbox with its folder; both are gone when it is dropped or shut down.
pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) ecs: aws_sdk_ecs::Client,
    pub(crate) address: SocketAddrV4,
    pub(crate) network: u8,
    pub(crate) folder: TempDir,
}

/// Tests run side by side, in one process or in many: the API's port is the lock on a network of 127.0.0.0/8.
pub(crate) async fn start() -> Bench {
    start_with(TaskRuntime::Process).await
}

pub(crate) async fn start_with(runtime: TaskRuntime) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    loop {
        let (network, reserved) = network();
        drop(reserved);
        let config = Config {
            runtime: runtime.clone(),
            ..config(folder.path(), network)
        };
        match Sandbox::start(config).await {
            Ok(sandbox) => {
                sandbox.apply_stack(&stack()).await.unwrap();
                let address = sandbox.address();
                return Bench {
                    sandbox,
                    ecs: ecs(address),
                    address,
                    network,
                    folder,
                };
            }
            Err(StartError::PortTaken { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// A network that nobody uses, and the socket that holds its API port.
pub(crate) fn network() -> (u8, TcpListener) {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let first = u8::try_from(std::process::id() % 150).unwrap();
    loop {
        let network = 70 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 150;
        if let Ok(reserved) = TcpListener::bind((Ipv4Addr::new(127, network, 0, 1), 4566)) {
            return (network, reserved);
        }
    }
}

pub(crate) fn config(folder: &Path, network: u8) -> Config {
    Config {
        listen: SocketAddrV4::new(Ipv4Addr::new(127, network, 0, 1), 4566),
        task_network: network,
        minute: Duration::from_secs(1),
        ..Config::new(folder)
    }
}

pub(crate) fn stack() -> Stack {
    let folder = tempfile::tempdir().unwrap();
    Stack::read(&stack_file(folder.path())).unwrap()
}

pub(crate) fn stack_file(folder: &Path) -> PathBuf {
    let path = folder.join("stack.yaml");
    std::fs::write(&path, STACK).unwrap();
    path
}

pub(crate) fn region() -> Region {
    Region::new("eu-central-1")
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("AKIATEST", "secret", None, None, "test")
}

pub(crate) fn ecs(address: SocketAddrV4) -> aws_sdk_ecs::Client {
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(region())
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(credentials())
        .build();
    aws_sdk_ecs::Client::from_conf(config)
}

/// The program of `examples/echo.rs`.
pub(crate) fn echo() -> PathBuf {
    let program = std::env::current_exe()
        .unwrap()
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("examples/echo");
    assert!(
        program.exists(),
        "build the examples first: cargo build --examples -p aws-sandbox"
    );
    program
}

impl Bench {
    /// Pushes a release of the test program.
    pub(crate) async fn push(&self, tag: &str, variables: &[(&str, &str)]) {
        push(self.address, tag, variables).await;
    }

    /// Registers a task definition for a release and starts deploying it.
    pub(crate) async fn deploy(&self, tag: &str, configuration: DeploymentConfiguration) -> String {
        deploy(&self.ecs, tag, configuration).await
    }

    pub(crate) async fn service(&self) -> Service {
        service(&self.ecs).await
    }

    pub(crate) async fn deployment(&self, arn: &str) -> ServiceDeployment {
        deployment(&self.ecs, arn).await
    }

    /// Deploys and waits until it is over.
    pub(crate) async fn settle(&self, tag: &str) -> ServiceDeployment {
        let arn = self.deploy(tag, blue_green(0)).await;
        self.ended(&arn).await
    }

    pub(crate) async fn ended(&self, arn: &str) -> ServiceDeployment {
        let ends = [
            ServiceDeploymentStatus::Successful,
            ServiceDeploymentStatus::RollbackSuccessful,
            ServiceDeploymentStatus::Stopped,
            ServiceDeploymentStatus::RollbackFailed,
        ];
        self.until(arn, "the end", |deployment| {
            deployment.status().is_some_and(|status| ends.contains(status))
        })
        .await
    }

    /// Waits for a deployment to be in a state.
    pub(crate) async fn until(
        &self,
        arn: &str,
        what: &str,
        is: impl Fn(&ServiceDeployment) -> bool,
    ) -> ServiceDeployment {
        until(&self.ecs, arn, what, is).await
    }

    /// Waits for the next pause and gives its id.
    pub(crate) async fn pause(&self, arn: &str) -> String {
        let paused = self
            .until(arn, "a pause", |deployment| waiting(deployment).is_some())
            .await;
        waiting(&paused).unwrap()
    }

    pub(crate) async fn go_on(&self, arn: &str, hook: &str) {
        self.ecs
            .continue_service_deployment()
            .service_deployment_arn(arn)
            .hook_id(hook)
            .action(DeploymentLifecycleHookAction::Continue)
            .send()
            .await
            .unwrap();
    }

    /// ARNs of the service's running tasks.
    pub(crate) async fn tasks(&self) -> Vec<String> {
        let tasks = self
            .ecs
            .list_tasks()
            .cluster(CLUSTER)
            .service_name(SERVICE)
            .send()
            .await
            .unwrap();
        tasks.task_arns.unwrap_or_default()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}:8080{path}", self.address.ip())
    }

    /// One user who asks once.
    pub(crate) async fn ask(&self) -> String {
        users::ask(&self.url("/")).await
    }

    /// Somebody who keeps asking.
    pub(crate) fn users(&self) -> Users {
        Users::start(&self.url("/"))
    }
}

pub(crate) async fn push(address: SocketAddrV4, tag: &str, variables: &[(&str, &str)]) {
    let mut environment = BTreeMap::from([("RELEASE".to_owned(), tag.to_owned())]);
    environment.extend(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    push_program(address, echo(), tag, environment).await;
}

/// Pushes a release of any program.
pub(crate) async fn push_program(
    address: SocketAddrV4,
    file: PathBuf,
    tag: &str,
    environment: BTreeMap<String, String>,
) {
    let program = Program {
        file,
        arguments: Vec::new(),
        environment,
        labels: BTreeMap::new(),
        ports: vec![3000],
    };
    let image = tokio::task::spawn_blocking(move || image::pack(&program).unwrap())
        .await
        .unwrap();
    let destination: Destination = format!("{address}/web:{tag}").parse().unwrap();
    image::push(&image, &destination, None).await.unwrap();
}

pub(crate) async fn deploy(ecs: &aws_sdk_ecs::Client, tag: &str, configuration: DeploymentConfiguration) -> String {
    let known = ecs
        .describe_task_definition()
        .task_definition("web")
        .send()
        .await
        .unwrap()
        .task_definition
        .unwrap();
    let mut container = known.container_definitions()[0].clone();
    container.image = Some(format!("web:{tag}"));
    let registered = ecs
        .register_task_definition()
        .family("web")
        .container_definitions(container)
        .cpu("256")
        .memory("512")
        .send()
        .await
        .unwrap();
    let definition = registered.task_definition.unwrap().task_definition_arn.unwrap();
    let updated = ecs
        .update_service()
        .cluster(CLUSTER)
        .service(SERVICE)
        .desired_count(2)
        .task_definition(definition)
        .deployment_configuration(configuration)
        .send()
        .await
        .unwrap();
    updated.service.unwrap().current_service_deployment.unwrap()
}

pub(crate) async fn service(ecs: &aws_sdk_ecs::Client) -> Service {
    ecs.describe_services()
        .cluster(CLUSTER)
        .services(SERVICE)
        .send()
        .await
        .unwrap()
        .services
        .unwrap()
        .remove(0)
}

pub(crate) async fn deployment(ecs: &aws_sdk_ecs::Client, arn: &str) -> ServiceDeployment {
    ecs.describe_service_deployments()
        .service_deployment_arns(arn)
        .send()
        .await
        .unwrap()
        .service_deployments
        .unwrap()
        .remove(0)
}

pub(crate) async fn until(
    ecs: &aws_sdk_ecs::Client,
    arn: &str,
    what: &str,
    is: impl Fn(&ServiceDeployment) -> bool,
) -> ServiceDeployment {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let deployment = deployment(ecs, arn).await;
        if is(&deployment) {
            return deployment;
        }
        assert!(
            Instant::now() < deadline,
            "{what} did not come: {deployment:#?}\n{:#?}",
            service(ecs).await.events()
        );
        tokio::time::sleep(TICK).await;
    }
}

fn waiting(deployment: &ServiceDeployment) -> Option<String> {
    let waits = |status| status == Some(&DeploymentLifecycleHookStatus::AwaitingAction);
    deployment
        .lifecycle_hook_details()
        .iter()
        .find(|hook| waits(hook.status()))
        .and_then(|hook| hook.hook_id.clone())
}

pub(crate) fn blue_green(bake_minutes: i32) -> DeploymentConfiguration {
    DeploymentConfiguration::builder()
        .strategy(DeploymentStrategy::BlueGreen)
        .bake_time_in_minutes(bake_minutes)
        .deployment_circuit_breaker(breaker())
        .set_lifecycle_hooks(Some(Vec::new()))
        .build()
}

/// 10 %, then everything, each after somebody said so.
pub(crate) fn canary() -> DeploymentConfiguration {
    let hook = DeploymentLifecycleHook::builder()
        .target_type(DeploymentLifecycleHookTargetType::Pause)
        .lifecycle_stages(DeploymentLifecycleHookStage::PreProductionTrafficShift)
        .build();
    DeploymentConfiguration::builder()
        .strategy(DeploymentStrategy::Canary)
        .canary_configuration(
            CanaryConfiguration::builder()
                .canary_percent(10.0)
                .canary_bake_time_in_minutes(1)
                .build(),
        )
        .bake_time_in_minutes(1)
        .lifecycle_hooks(hook)
        .deployment_circuit_breaker(breaker())
        .build()
}

/// A long bake that an alarm on errors ends.
pub(crate) fn watched() -> DeploymentConfiguration {
    let alarms = DeploymentAlarms::builder()
        .alarm_names("web-errors")
        .enable(true)
        .rollback(true)
        .build()
        .unwrap();
    DeploymentConfiguration::builder()
        .strategy(DeploymentStrategy::BlueGreen)
        .bake_time_in_minutes(60)
        .set_lifecycle_hooks(Some(Vec::new()))
        .alarms(alarms)
        .build()
}

/// Half as many again while tasks are replaced.
pub(crate) fn rolling() -> DeploymentConfiguration {
    DeploymentConfiguration::builder()
        .strategy(DeploymentStrategy::Rolling)
        .minimum_healthy_percent(100)
        .maximum_percent(150)
        .bake_time_in_minutes(0)
        .set_lifecycle_hooks(Some(Vec::new()))
        .deployment_circuit_breaker(breaker())
        .build()
}

fn breaker() -> DeploymentCircuitBreaker {
    DeploymentCircuitBreaker::builder().enable(true).rollback(true).build()
}

/// Waits for something that no API call tells directly.
pub(crate) async fn eventually(what: &str, is: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is().await {
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(TICK).await;
    }
}

pub(crate) fn primary(service: &Service) -> &Deployment {
    service
        .deployments()
        .iter()
        .find(|deployment| deployment.status() == Some("PRIMARY"))
        .unwrap()
}

/// Processes of the test program that belong to a sandbox's network.
pub(crate) fn tasks_of(number: u8) -> Vec<u32> {
    let mine = format!("HOST=127.{number}.");
    let processes = std::fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    processes
        .filter(|pid: &u32| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable.starts_with(mine.as_bytes()))
        })
        .collect()
}

/// SIGKILL, as the kernel does when memory runs out.
pub(crate) fn kill(pid: u32) {
    let killed = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
}

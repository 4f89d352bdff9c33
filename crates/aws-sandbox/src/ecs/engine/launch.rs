//! From a task definition to running processes: images, secrets, environment, logs.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_ecs::types::{ContainerDefinition, ContainerOverride, LogDriver};
use tokio::sync::mpsc;

use super::Engine;
use super::health::Check;
use crate::clock;
use crate::ecs::world::{Task, TaskStatus};
use crate::front::chain;
use crate::runtime::{ContainerSpec, LogLine, Probe, Process, ProcessSpec, RootFileSystem, SpawnError};

/// Amazon ECS API Reference, `ContainerDefinition`, stopTimeout: 30 seconds when absent.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// What a container has when its image says nothing about it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A started container.
pub(super) struct Running {
    pub(super) name: String,
    pub(super) essential: Essential,
    pub(super) stop_timeout: Duration,
    pub(super) process: Process,
    pub(super) check: Option<(Check, Probe)>,
}

/// Whether a container's end is the task's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Essential {
    Yes,
    No,
}

/// A task could not be started.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaunchError {
    #[error(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref {image}: {cause}"
    )]
    Pull {
        container: String,
        image: String,
        cause: String,
    },
    #[error(
        "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: \
         service call has been retried 1 time(s): ResourceNotFoundException: Secrets Manager can't find the specified secret {reference}."
    )]
    Secret { container: String, reference: String },
    #[error("CannotStartContainerError: {cause}")]
    Start { container: String, cause: String },
    #[error("The task definition {0} does not exist.")]
    NoDefinition(String),
}

impl LaunchError {
    pub(super) fn container(&self) -> Option<&str> {
        match self {
            Self::Pull { container, .. } | Self::Secret { container, .. } | Self::Start { container, .. } => {
                Some(container)
            }
            Self::NoDefinition(_) => None,
        }
    }
}

/// One container with its image found and its secrets resolved.
struct Prepared {
    definition: ContainerDefinition,
    program: Program,
    lines: mpsc::UnboundedReceiver<LogLine>,
}

/// What is started for a container of a task definition.
enum Program {
    Process(ProcessSpec),
    Container(ContainerSpec),
}

impl Engine {
    /// Starts every container of a task; those already started are ended again when a later one cannot be.
    pub(super) async fn launch(
        &self,
        region: &str,
        task: &Task,
        address: Ipv4Addr,
    ) -> Result<Vec<Running>, LaunchError> {
        let definition = self
            .world
            .read(|world| world.region(region).definition(&task.definition).ok().cloned())
            .ok_or_else(|| LaunchError::NoDefinition(task.definition.clone()))?;
        let mut prepared = Vec::new();
        for container in definition.shape.0.container_definitions() {
            prepared.push(self.prepare(region, task, container, address).await?);
        }
        self.change_task(region, &task.id, |task| {
            task.pull_stopped_at = Some(clock::now());
            task.turn(TaskStatus::Pending);
        });
        let mut running: Vec<Running> = Vec::new();
        for Prepared {
            definition,
            program,
            lines,
        } in prepared
        {
            let name = definition.name().unwrap_or_default().to_owned();
            match self.start(program).await {
                Ok((process, probe)) => {
                    self.keep_log(region, task, &definition, lines);
                    running.push(Running {
                        name,
                        essential: if definition.essential().unwrap_or(true) {
                            Essential::Yes
                        } else {
                            Essential::No
                        },
                        stop_timeout: stop_timeout(&definition),
                        process,
                        check: Check::of(&definition).map(|check| (check, probe)),
                    });
                }
                Err(error) => {
                    for started in &running {
                        started.process.kill();
                    }
                    return Err(LaunchError::Start {
                        container: name,
                        cause: chain(&error),
                    });
                }
            }
        }
        Ok(running)
    }

    /// Starts it, and says how a health check is asked of it.
    async fn start(&self, program: Program) -> Result<(Process, Probe), SpawnError> {
        let runtime = &self.plane.runtime;
        match program {
            Program::Process(spec) => {
                let probe = Probe::beside(&spec);
                Ok((runtime.spawn(spec).await?, probe))
            }
            Program::Container(spec) => {
                let containers = runtime.containers().ok_or(SpawnError::Stopped)?;
                containers.run(spec).await
            }
        }
    }

    async fn prepare(
        &self,
        region: &str,
        task: &Task,
        definition: &ContainerDefinition,
        address: Ipv4Addr,
    ) -> Result<Prepared, LaunchError> {
        let container = definition.name().unwrap_or_default().to_owned();
        let image = definition.image().unwrap_or_default();
        let (repository, tagged) = split_image(image);
        let pinned = task
            .containers
            .iter()
            .find(|known| known.name == container)
            .and_then(|known| known.digest.clone());
        let reference = pinned.unwrap_or(tagged);
        let pull = |cause| LaunchError::Pull {
            container: container.clone(),
            image: image.to_owned(),
            cause,
        };
        let registry = &self.plane.registry;
        let described = registry
            .describe(&repository, &reference)
            .map_err(|error| pull(chain(&error)))?;
        let digest = described.digest.to_string();
        self.change_task(region, &task.id, |task| {
            if let Some(known) = task.containers.iter_mut().find(|known| known.name == container) {
                known.digest = Some(digest);
                known.status = TaskStatus::Pending;
            }
        });
        let changed = task.override_of(&container);
        let environment = self.environment(region, definition, changed, &described.env)?;
        let command = command(definition, changed, &described.entrypoint, &described.cmd);
        let working_dir = definition
            .working_directory()
            .map_or_else(|| described.working_dir.clone(), PathBuf::from);
        let (sender, lines) = mpsc::unbounded_channel();
        let program = match self.plane.runtime.containers() {
            Some(_) => Program::Container(ContainerSpec {
                image: format!("{repository}@{}", described.digest),
                command,
                environment,
                working_dir: working_dir.display().to_string(),
                user: definition.user().map(str::to_owned).or(described.user),
                root: root_of(definition),
                memory_mib: definition.memory().map(i64::from),
                address,
                lines: sender,
            }),
            None => Program::Process(ProcessSpec {
                rootfs: registry
                    .unpack(&repository, &reference, &self.dir.join("images"))
                    .await
                    .map_err(|error| pull(chain(&error)))?,
                command,
                environment,
                working_dir,
                address,
                lines: sender,
            }),
        };
        Ok(Prepared {
            definition: definition.clone(),
            program,
            lines,
        })
    }

    /// The image's variables, then the platform's, the definition's, the override's and the secrets, each over the ones before.
    fn environment(
        &self,
        region: &str,
        definition: &ContainerDefinition,
        changed: Option<&ContainerOverride>,
        image: &[(String, String)],
    ) -> Result<Vec<(String, String)>, LaunchError> {
        let mut environment: BTreeMap<String, String> = BTreeMap::new();
        environment.insert("PATH".to_owned(), PATH.to_owned());
        environment.extend(image.iter().cloned());
        environment.extend(
            [
                ("AWS_REGION", region),
                ("AWS_DEFAULT_REGION", region),
                ("AWS_ENDPOINT_URL", &self.plane.endpoint),
                ("AWS_ACCESS_KEY_ID", "SANDBOXTASKROLE"),
                ("AWS_SECRET_ACCESS_KEY", "sandbox"),
                ("AWS_EXECUTION_ENV", "AWS_ECS_FARGATE"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        let given = definition
            .environment()
            .iter()
            .chain(changed.map(ContainerOverride::environment).unwrap_or_default());
        environment.extend(
            given.filter_map(|pair| Some((pair.name()?.to_owned(), pair.value().unwrap_or_default().to_owned()))),
        );
        for secret in definition.secrets() {
            let value = self
                .plane
                .secrets
                .value(region, secret.value_from())
                .ok_or_else(|| LaunchError::Secret {
                    container: definition.name().unwrap_or_default().to_owned(),
                    reference: secret.value_from().to_owned(),
                })?;
            environment.insert(secret.name().to_owned(), value);
        }
        Ok(environment.into_iter().collect())
    }

    /// The awslogs driver: `prefix/container/task` in the group. Any other driver, or none, keeps nothing.
    fn keep_log(
        &self,
        region: &str,
        task: &Task,
        definition: &ContainerDefinition,
        mut lines: mpsc::UnboundedReceiver<LogLine>,
    ) {
        let configured = definition
            .log_configuration()
            .filter(|log| *log.log_driver() == LogDriver::Awslogs);
        let option = |name: &str| {
            configured
                .and_then(|log| log.options())
                .and_then(|options| options.get(name))
                .cloned()
        };
        let group = option("awslogs-group");
        let region = option("awslogs-region").unwrap_or_else(|| region.to_owned());
        let prefix = option("awslogs-stream-prefix").unwrap_or_else(|| "ecs".to_owned());
        let stream = format!("{prefix}/{}/{}", definition.name().unwrap_or_default(), task.id);
        let logs = std::sync::Arc::clone(&self.plane.logs);
        tokio::spawn(async move {
            while let Some(line) = lines.recv().await {
                if let Some(group) = &group {
                    logs.append(&region, group, &stream, line.at, line.text);
                }
            }
        });
    }
}

fn root_of(definition: &ContainerDefinition) -> RootFileSystem {
    if definition.readonly_root_filesystem().unwrap_or_default() {
        RootFileSystem::ReadOnly
    } else {
        RootFileSystem::Writable
    }
}

fn stop_timeout(definition: &ContainerDefinition) -> Duration {
    definition
        .stop_timeout()
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(STOP_TIMEOUT, Duration::from_secs)
}

/// An entry point in the definition replaces the image's and its command too, as container engines do.
fn command(
    definition: &ContainerDefinition,
    changed: Option<&ContainerOverride>,
    entrypoint: &[String],
    cmd: &[String],
) -> Vec<String> {
    let own_entry_point = definition.entry_point();
    let entry = if own_entry_point.is_empty() {
        entrypoint
    } else {
        own_entry_point
    };
    let overridden = changed
        .map(ContainerOverride::command)
        .filter(|command| !command.is_empty());
    let own = Some(definition.command()).filter(|command| !command.is_empty());
    let fallback = if own_entry_point.is_empty() { cmd } else { &[] };
    entry
        .iter()
        .chain(overridden.or(own).unwrap_or(fallback))
        .cloned()
        .collect()
}

/// Repository and tag or digest of an image. The registry's host is left out: the sandbox has one store for all of them.
pub(in crate::ecs) fn split_image(image: &str) -> (String, String) {
    let path = match image.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        Some(_) | None => image,
    };
    let (named, digest) = path
        .split_once('@')
        .map_or((path, None), |(named, digest)| (named, Some(digest)));
    let (repository, tag) = named
        .split_once(':')
        .map_or((named, "latest"), |(repository, tag)| (repository, tag));
    (repository.to_owned(), digest.unwrap_or(tag).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_taken_apart() {
        for (image, repository, reference) in [
            ("web", "web", "latest"),
            ("team/web:1.2", "team/web", "1.2"),
            ("127.0.0.1:4566/web:1.2", "web", "1.2"),
            (
                "000000000000.dkr.ecr.eu-central-1.amazonaws.com/team/web@sha256:ab",
                "team/web",
                "sha256:ab",
            ),
            ("localhost/web:1@sha256:ab", "web", "sha256:ab"),
        ] {
            assert_eq!(
                split_image(image),
                (repository.to_owned(), reference.to_owned()),
                "{image}"
            );
        }
    }
}

//! The executor's [`Cloud`] on a real endpoint.

use std::time::Duration;

use tt_environment::{ContainerName, Environment};
use tt_execute::{
    Answer, Cloud, Evidence, OneOff, OneOffTask, PortError, Progress, Registration, Start, TaskArn, TaskLines,
};
use tt_plan::{Arn, Observed, Revision, RunningTasks, Sample, Share};

use crate::{
    clients::Clients,
    ecs::{
        deployment::{Cache, describe, to_deployment},
        one_off, register, service, start, tasks,
    },
    elb,
    error::{absent, not_found},
    evidence,
    logs::{self, Streams},
    metrics, observe,
    records::S3Journal,
};

/// An environment's AWS account.
#[derive(Debug)]
pub struct AwsCloud<'a> {
    clients: &'a Clients,
    environment: &'a Environment,
    journal: &'a S3Journal,
    revisions: Cache,
    streams: Streams,
    routes: tokio::sync::OnceCell<Routes>,
}

/// What polling needs of the load balancer; it does not change while a deployment runs.
#[derive(Debug, Clone)]
struct Routes {
    rule: Arn,
    load_balancer: Arn,
}

impl<'a> AwsCloud<'a> {
    /// Makes no call yet.
    pub fn new(clients: &'a Clients, environment: &'a Environment, journal: &'a S3Journal) -> Self {
        Self {
            clients,
            environment,
            journal,
            revisions: Cache::default(),
            streams: Streams::default(),
            routes: tokio::sync::OnceCell::new(),
        }
    }

    async fn routes(&self) -> Result<&Routes, PortError> {
        self.routes
            .get_or_try_init(|| async {
                let service = service::describe_service(self.clients, self.environment).await?;
                let action = "find the service's production listener rule";
                let rule = service
                    .load_balancers()
                    .first()
                    .and_then(|balancer| service::rules(balancer).0)
                    .ok_or_else(|| absent(action, "rule"))?;
                let (_, load_balancer) = elb::route(self.clients, &rule).await?;
                Ok(Routes { rule, load_balancer })
            })
            .await
    }
}

impl Cloud for AwsCloud<'_> {
    async fn observe(&self) -> Result<Observed, PortError> {
        // Six services are asked side by side: boxed, so that not every caller carries the future on its stack.
        Box::pin(observe::observe(
            self.clients,
            self.environment,
            &self.revisions,
            self.journal,
        ))
        .await
    }

    async fn register(&self, registration: &Registration) -> Result<Revision, PortError> {
        register::register(self.clients, self.environment, registration).await
    }

    async fn run_task(&self, task: &OneOffTask) -> Result<TaskArn, PortError> {
        one_off::run(self.clients, self.environment, task).await
    }

    async fn output(&self, task: &TaskArn, order: &OneOffTask, after: Option<&str>) -> Result<TaskLines, PortError> {
        let stream = self
            .streams
            .get_or_find(self.clients, &order.task_definition, &order.container, task)
            .await?;
        logs::read(self.clients, stream.as_ref(), after).await
    }

    async fn running_tasks(&self) -> Result<Vec<RunningTasks>, PortError> {
        tasks::running(self.clients, self.environment).await
    }

    async fn one_off(&self, task: &TaskArn, container: &ContainerName) -> Result<OneOff, PortError> {
        one_off::state(self.clients, self.environment, task, container).await
    }

    async fn stop_task(&self, task: &TaskArn, reason: &str) -> Result<(), PortError> {
        one_off::stop(self.clients, self.environment, task, reason).await
    }

    async fn start(&self, start: &Start) -> Result<Arn, PortError> {
        start::start(self.clients, self.environment, &self.revisions, start).await
    }

    async fn progress(&self, deployment: &Arn) -> Result<Progress, PortError> {
        let action = format!("describe service deployment {}", deployment.short());
        let found = describe(self.clients, deployment).await?.ok_or_else(|| {
            not_found(
                action,
                "ECS does not know it",
                "deployments are kept for 90 days; see `history`",
            )
        })?;
        let deployment = to_deployment(self.clients, self.environment, &self.revisions, &found).await?;
        let (targets, live_share) = match &deployment.target_group {
            Some(group) => {
                let rule = &self.routes().await?.rule;
                let (targets, share) =
                    tokio::try_join!(elb::health(self.clients, group), elb::share(self.clients, rule, group))?;
                (Some(targets), share)
            }
            None => (None, Share::NONE),
        };
        Ok(Progress {
            deployment,
            targets,
            live_share,
        })
    }

    async fn answer(&self, deployment: &Arn, hook: &str, answer: Answer) -> Result<(), PortError> {
        start::answer(self.clients, deployment, hook, answer).await
    }

    async fn revert(&self, deployment: &Arn) -> Result<(), PortError> {
        start::revert(self.clients, deployment).await
    }

    async fn measure(&self, target_group: &Arn, window: Duration, period: Duration) -> Result<Sample, PortError> {
        let routes = self.routes().await?;
        metrics::sample(self.clients, &routes.load_balancer, target_group, window, period).await
    }

    async fn evidence(&self, deployment: &Arn) -> Evidence {
        evidence::evidence(self.clients, self.environment, &self.revisions, deployment).await
    }
}

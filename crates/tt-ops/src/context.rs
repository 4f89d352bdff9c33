//! What most commands begin with: the environment, its clients, and who is asking.

use std::time::Duration;

use time::OffsetDateTime;
use tt_aws::{AwsBackups, AwsCloud, Clients, S3Journal};
use tt_environment::{Environment, EnvironmentName};
use tt_execute::{Clock, PortError, PortErrorKind, Probe};
use tt_plan::{Holder, database::RunId};

use crate::{cli::Global, exit::Exit, failure::Failure};

/// An environment with its connections.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) environment: Environment,
    pub(crate) clients: Clients,
    pub(crate) journal: S3Journal,
}

impl Context {
    pub(crate) async fn open(global: &Global, name: &str) -> Result<Self, Failure> {
        let environment = load(global, name)?;
        let clients = Clients::connect(&environment).await;
        let journal = S3Journal::new(&clients, &environment);
        Ok(Self {
            environment,
            clients,
            journal,
        })
    }

    pub(crate) fn cloud(&self) -> AwsCloud<'_> {
        AwsCloud::new(&self.clients, &self.environment, &self.journal)
    }

    pub(crate) fn backups(&self) -> AwsBackups<'_> {
        AwsBackups::new(&self.clients, &self.environment, &self.journal)
    }

    /// A failed call, with the one hint that only the environment can give.
    pub(crate) fn failure(&self, error: PortError) -> Failure {
        let unreachable = error.kind == PortErrorKind::Unreachable;
        let failure = Failure::from(error);
        match &self.environment.aws.endpoint_url {
            Some(url) if unreachable && self.environment.sandbox.is_some() => failure.hint(format!(
                "nothing answers at {url}: start the sandbox with `tt-ops sandbox up {}` (or `make up`)",
                self.environment.name
            )),
            Some(_) | None => failure,
        }
    }
}

/// Reads one environment file; variables come from the process's own environment.
pub(crate) fn load(global: &Global, name: &str) -> Result<Environment, Failure> {
    let name = EnvironmentName::parse(name).map_err(|error| Failure::new(Exit::Usage, error.to_string()))?;
    Ok(tt_environment::load(&global.env_dir, &name, &|variable| {
        std::env::var(variable).ok()
    })?)
}

/// What this run's copies are known by.
pub(crate) fn run_id(at: OffsetDateTime) -> RunId {
    RunId::new(at, std::process::id())
}

/// The CI job, or the person at the keyboard.
pub(crate) fn holder(principal: &str) -> Holder {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let person = || {
        let user = variable("USER")
            .or_else(|| variable("LOGNAME"))
            .unwrap_or_else(|| "somebody".to_owned());
        format!("{user}@{} (process {})", hostname(), std::process::id())
    };
    Holder {
        name: variable("CI_JOB_URL").unwrap_or_else(person),
        principal: principal.to_owned(),
    }
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown host".to_owned(), |name| name.trim().to_owned())
}

/// The machine's clock.
#[derive(Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Asks over HTTP as a user would; follows no redirect, because the status that was answered is the one expected.
#[derive(Debug)]
pub(crate) struct HttpProbe(reqwest::Client);

impl HttpProbe {
    pub(crate) fn new() -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build();
        client
            .map(Self)
            .map_err(|error| Failure::new(Exit::Internal, format!("could not set up an HTTP client: {error}")))
    }
}

impl Probe for HttpProbe {
    async fn get(&self, url: &str, timeout: Duration) -> Result<u16, PortError> {
        let failed = |error: reqwest::Error| PortError {
            action: format!("GET {url}"),
            kind: PortErrorKind::Unreachable,
            hint: None,
            source: Some(Box::new(error.without_url())),
        };
        let response = self.0.get(url).timeout(timeout).send().await.map_err(failed)?;
        Ok(response.status().as_u16())
    }
}

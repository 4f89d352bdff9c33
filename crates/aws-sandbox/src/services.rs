//! Every service the sandbox plays, opened in the order they need each other.

use std::sync::Arc;

use crate::clock::Clock;
use crate::cloudwatch::{CloudWatch, Metrics};
use crate::config::{Config, TaskRuntime};
use crate::ecs::{Engine, Plane};
use crate::elb::Elb;
use crate::front::persist::{PersistError, StateDir};
use crate::logs::Logs;
use crate::rds::Rds;
use crate::registry::Registry;
use crate::runtime::{Containers, Runtime};
use crate::s3::S3;
use crate::sandbox::StartError;
use crate::secrets::Secrets;

/// What answers the calls.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) ecs: Arc<Engine>,
    pub(crate) elb: Arc<Elb>,
    pub(crate) cloudwatch: Arc<CloudWatch>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) s3: S3,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) rds: Arc<Rds>,
    pub(crate) registry: Arc<Registry>,
    /// Where the API listens, e.g. `http://127.0.0.1:4566`.
    pub(crate) endpoint: String,
}

impl Services {
    /// Finds everything an earlier run left behind. Nothing runs or listens yet.
    pub(crate) async fn open(config: &Config, state: &StateDir) -> Result<Self, StartError> {
        let account = config.account.as_str();
        let endpoint = format!("http://{}", config.listen);
        let metrics = Arc::new(Metrics::default());
        let runtime = runtime(config).await?;
        let elb = Elb::open(state, account, *config.listen.ip(), Arc::clone(&metrics)).map_err(state_error)?;
        let cloudwatch = Arc::new(CloudWatch::open(state, account, Arc::clone(&metrics)).map_err(state_error)?);
        let logs = Arc::new(Logs::open(state, account).map_err(state_error)?);
        let secrets = Arc::new(Secrets::open(state, account).map_err(state_error)?);
        let registry = Registry::open(state).map_err(|cause| StartError::Registry(cause.into()))?;
        let s3 = S3::open(state).map_err(|cause| StartError::S3(cause.into()))?;
        let rds = Rds::open(
            state,
            account,
            config.task_network,
            config.as_user,
            Arc::clone(&metrics),
            Clock::new(config.minute),
        )
        .map_err(|cause| StartError::Databases(cause.into()))?;
        let plane = Plane {
            runtime,
            registry: Arc::clone(&registry),
            elb: Arc::clone(&elb),
            logs: Arc::clone(&logs),
            secrets: Arc::clone(&secrets),
            metrics,
            cloudwatch: Arc::clone(&cloudwatch),
            endpoint: endpoint.clone(),
        };
        let ecs = Engine::open(state, account, Clock::new(config.minute), plane).map_err(state_error)?;
        Ok(Self {
            ecs,
            elb,
            cloudwatch,
            logs,
            s3,
            secrets,
            rds,
            registry,
            endpoint,
        })
    }
}

async fn runtime(config: &Config) -> Result<Arc<Runtime>, StartError> {
    let containers = match &config.runtime {
        TaskRuntime::Process => None,
        TaskRuntime::Container { engine } => Some(
            Containers::connect(engine, config.listen, &config.state_dir)
                .await
                .map_err(|cause| StartError::Containers(cause.into()))?,
        ),
    };
    Runtime::with_containers(config.task_network, config.as_user, containers).map_err(StartError::Runtime)
}

fn state_error(cause: PersistError) -> StartError {
    StartError::State(cause.into())
}

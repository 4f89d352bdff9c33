//! One running sandbox: started, seeded from a stack, stopped.

use std::error::Error;
use std::fs::File;
use std::io;
use std::net::SocketAddrV4;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::Config;
use crate::front::persist::{PersistError, StateDir};
use crate::front::{self, Counts, Faults, Front};
use crate::services::Services;
use crate::stack::{self, Stack, StackError};

/// Why something failed underneath. Its type is the sandbox's own business; `source` chains and Display are not.
pub type Cause = Box<dyn Error + Send + Sync>;

/// A sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program, perhaps another sandbox, has the port.
    #[error("port {} at {} is taken; stop what listens there or choose another address with --listen", address.port(), address.ip())]
    PortTaken {
        /// The address asked for.
        address: SocketAddrV4,
    },
    /// The address cannot be listened on for another reason.
    #[error("could not listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddrV4,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// Another sandbox runs on the same state.
    #[error("another sandbox uses the state folder {}", path.display())]
    StateInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The state folder cannot be used.
    #[error("could not open the state")]
    State(#[source] Cause),
    /// Processes cannot be started.
    #[error("could not start the process runtime")]
    Runtime(#[source] io::Error),
    /// Containers cannot be run.
    #[error("could not start the container runtime")]
    Containers(#[source] Cause),
    /// The images cannot be opened.
    #[error("could not open the image registry")]
    Registry(#[source] Cause),
    /// The buckets cannot be opened.
    #[error("could not open the buckets")]
    S3(#[source] Cause),
    /// The database instances cannot be opened.
    #[error("could not open the database instances")]
    Databases(#[source] Cause),
    /// A load balancer's port is taken.
    #[error("could not open the listeners of the load balancers again")]
    LoadBalancer(#[source] Cause),
}

/// A running sandbox. Dropping it without [`Sandbox::shutdown`] leaves its tasks running until the process ends.
pub struct Sandbox {
    address: SocketAddrV4,
    front: Arc<Front>,
    closing: CancellationToken,
    serving: JoinHandle<()>,
    background: Vec<JoinHandle<()>>,
    /// Held for as long as the sandbox runs; the system lets go of it even after `kill -9`.
    lock: File,
}

impl Sandbox {
    /// Starts with what the state folder holds: listeners listen again, services start their tasks, a deployment in
    /// flight goes on. The API answers when this returns.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let state = StateDir::open(&config.state_dir).map_err(|cause| StartError::State(cause.into()))?;
        let lock = lock_state(&state)?;
        let listener = front::bind(config.listen)
            .await
            .map_err(|cause| refused(config.listen, cause))?;
        let services = Services::open(&config, &state).await?;
        services.rds.start();
        services
            .elb
            .start()
            .await
            .map_err(|cause| StartError::LoadBalancer(cause.into()))?;
        let background = vec![
            tokio::spawn(Arc::clone(&services.ecs).run()),
            tokio::spawn({
                let cloudwatch = Arc::clone(&services.cloudwatch);
                async move { cloudwatch.evaluate_forever().await }
            }),
        ];
        let front = Arc::new(Front {
            account: config.account,
            clock: Clock::new(config.minute),
            services,
            counts: Counts::default(),
            faults: Faults::default(),
            state,
            stop: CancellationToken::new(),
        });
        let closing = CancellationToken::new();
        let serving = tokio::spawn(front::serve(listener, Arc::clone(&front), closing.clone()));
        Ok(Self {
            address: config.listen,
            front,
            closing,
            serving,
            background,
            lock,
        })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Creates what the stack names and does not exist yet. Applying it twice changes nothing.
    pub async fn apply_stack(&self, stack: &Stack) -> Result<(), StackError> {
        stack::apply(&self.front.services, stack).await?;
        self.front.state.save().map_err(|cause| StackError::State(cause.into()))
    }

    /// Waits until somebody asks it to stop: SIGTERM, SIGINT or a POST to `/_sandbox/stop`.
    pub async fn asked_to_stop(&self) -> io::Result<()> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = self.front.stop.cancelled() => {}
        }
        Ok(())
    }

    /// Answers calls in flight, ends every process and writes the state.
    pub async fn shutdown(self) {
        self.closing.cancel();
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the API server ended abnormally");
        }
        self.front.services.ecs.shutdown().await;
        self.front.services.elb.stop();
        self.front.services.rds.stop().await;
        for task in self.background {
            task.abort();
        }
        if let Err(error) = self.front.state.save() {
            tracing::error!(error = %front::chain(&error), "the state of the last moments could not be written");
        }
        drop(self.lock);
    }
}

/// Two sandboxes on one state would overwrite each other's.
fn lock_state(state: &StateDir) -> Result<File, StartError> {
    let path = state.join("lock");
    let failed = |cause| {
        StartError::State(
            PersistError::Write {
                path: path.clone(),
                cause,
            }
            .into(),
        )
    };
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::StateInUse {
            path: state.to_path_buf(),
        }),
        Err(std::fs::TryLockError::Error(cause)) => Err(failed(cause)),
    }
}

fn refused(address: SocketAddrV4, cause: io::Error) -> StartError {
    if cause.kind() == io::ErrorKind::AddrInUse {
        StartError::PortTaken { address }
    } else {
        StartError::Listen { address, cause }
    }
}

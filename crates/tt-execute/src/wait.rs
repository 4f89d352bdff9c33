//! Following a deployment: poll, say what changed, notice when it turns back, give up at a limit.

use std::time::Duration;

use tt_environment::Minutes;
use tt_plan::{Arn, DeploymentStatus};

use crate::{
    event::{Event, Holdup},
    executor::Executor,
    halt::Halt,
    ports::{Clock, Cloud, Journal, PortError, Probe, Progress},
    run::Run,
};

/// What following came to, when not to what was waited for.
pub(crate) enum Detour {
    /// ECS is taking it back, or has.
    TurnedBack {
        /// ECS's words.
        reason: String,
    },
    /// The limit was reached.
    TooLong,
    /// A call failed for good.
    Failed(PortError),
}

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    /// Polls until `reached` says so on the way forward; a deployment that has turned back reaches nothing any more.
    pub(crate) async fn follow<T>(
        &self,
        run: &mut Run<'_>,
        limit: Duration,
        holdup: impl Fn(&Progress) -> Holdup,
        mut reached: impl FnMut(&Progress) -> Option<T>,
    ) -> Result<T, Detour> {
        let forward = |progress: &Progress| match turned_back(&progress.deployment.status) {
            Some(reason) => Some(Err(Detour::TurnedBack { reason })),
            None => reached(progress).map(Ok),
        };
        self.poll(run, limit, holdup, forward).await?
    }

    /// Polls until `found` says so, wherever the deployment goes.
    pub(crate) async fn poll<T>(
        &self,
        run: &mut Run<'_>,
        limit: Duration,
        holdup: impl Fn(&Progress) -> Holdup,
        mut found: impl FnMut(&Progress) -> Option<T>,
    ) -> Result<T, Detour> {
        let began = self.clock.now();
        loop {
            let waited = Duration::try_from(self.clock.now() - began).unwrap_or_default();
            if let Some(progress) = self.look(run).await.map_err(Detour::Failed)? {
                if let Some(found) = found(&progress) {
                    return Ok(found);
                }
                run.emit(Event::Waiting {
                    holdup: holdup(&progress),
                    waited,
                    at_most: limit,
                });
            }
            if waited >= limit {
                return Err(Detour::TooLong);
            }
            self.clock.sleep(self.interval()).await;
        }
    }

    /// One look at the deployment; nothing when the call failed in a way that passes, because ECS goes on without us.
    pub(crate) async fn look(&self, run: &mut Run<'_>) -> Result<Option<Progress>, PortError> {
        let Some(deployment) = run.deployment().cloned() else {
            return Ok(None);
        };
        match self.cloud.progress(&deployment).await {
            Ok(progress) => {
                run.say_progress(&progress);
                Ok(Some(progress))
            }
            Err(error) if error.kind.passes() => {
                run.emit(Event::Retrying {
                    what: with_cause(&error),
                });
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// How often to look: about every three seconds of an AWS minute, never in a busy loop. ECS allows 20 such reads a second for the whole
    /// account (Amazon ECS API Reference, "Request throttling").
    pub(crate) fn interval(&self) -> Duration {
        (self.environment.aws.minute / 20).max(Duration::from_millis(100))
    }

    /// So many AWS minutes and never less than a real one and a half: a sandbox shortens minutes, but processes start no faster for it.
    pub(crate) fn at_most(&self, minutes: u32) -> Duration {
        Minutes::new(minutes)
            .lasting(self.environment.aws.minute)
            .max(Duration::from_secs(90))
    }

    /// Turns a detour on the way forward into a halt; what has been started is taken back unless the failure is ours alone.
    pub(crate) async fn detoured(&self, run: &mut Run<'_>, detour: Detour, what: &str, limit: Duration) -> Halt {
        let Some(deployment) = run.deployment().cloned() else {
            return match detour {
                Detour::Failed(error) => error.into(),
                Detour::TurnedBack { .. } | Detour::TooLong => Halt::TimedOut {
                    what: what.to_owned(),
                    limit,
                },
            };
        };
        match detour {
            Detour::TurnedBack { reason } => self.followed_back(run, &deployment, reason).await,
            Detour::TooLong => {
                self.taken_back(run, format!("{what} took longer than {} s", limit.as_secs()))
                    .await
            }
            Detour::Failed(error) => error.into(),
        }
    }

    /// Tells ECS to take the deployment back and follows it to the end.
    pub(crate) async fn taken_back(&self, run: &mut Run<'_>, reason: String) -> Halt {
        let Some(deployment) = run.deployment().cloned() else {
            return Halt::RolledBack {
                release: run.plan.brings.clone(),
                reason,
            };
        };
        run.emit(Event::RollingBack { reason: reason.clone() });
        if let Err(error) = self.cloud.revert(&deployment).await {
            return error.into();
        }
        self.returned(run, &deployment, reason).await
    }

    /// ECS, or another process, takes it back already: follow.
    pub(crate) async fn followed_back(&self, run: &mut Run<'_>, deployment: &Arn, reason: String) -> Halt {
        run.emit(Event::RollingBack { reason: reason.clone() });
        self.returned(run, deployment, reason).await
    }

    async fn returned(&self, run: &mut Run<'_>, deployment: &Arn, reason: String) -> Halt {
        let evidence = self.cloud.evidence(deployment).await;
        run.emit(Event::Evidence { evidence });
        let limit = self.at_most(30);
        let release = run.plan.brings.clone();
        let began = self.clock.now();
        loop {
            match self.look(run).await {
                Ok(Some(progress)) => match progress.deployment.status {
                    DeploymentStatus::RolledBack { .. } | DeploymentStatus::Stopped { .. } => {
                        return Halt::RolledBack { release, reason };
                    }
                    DeploymentStatus::RollbackFailed { reason } => return Halt::RollbackFailed { release, reason },
                    DeploymentStatus::Pending
                    | DeploymentStatus::InProgress
                    | DeploymentStatus::RollingBack { .. }
                    | DeploymentStatus::Successful => {}
                },
                Ok(None) => {}
                Err(error) => return error.into(),
            }
            let waited = Duration::try_from(self.clock.now() - began).unwrap_or_default();
            run.emit(Event::Waiting {
                holdup: Holdup::Return,
                waited,
                at_most: limit,
            });
            if waited >= limit {
                return Halt::TimedOut {
                    what: format!("taking release {release} back"),
                    limit,
                };
            }
            self.clock.sleep(self.interval()).await;
        }
    }
}

pub(crate) fn turned_back(status: &DeploymentStatus) -> Option<String> {
    match status {
        DeploymentStatus::RollingBack { reason }
        | DeploymentStatus::RolledBack { reason }
        | DeploymentStatus::Stopped { reason }
        | DeploymentStatus::RollbackFailed { reason } => Some(reason.clone()),
        DeploymentStatus::Pending | DeploymentStatus::InProgress | DeploymentStatus::Successful => None,
    }
}

pub(crate) fn with_cause(error: &PortError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

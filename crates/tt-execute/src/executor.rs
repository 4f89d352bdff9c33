//! From a plan to an outcome: take the lock, make sure the world has not moved, walk the steps, write down how it ended.

use std::future::Future;

use tt_environment::Environment;
use tt_plan::{Command, Fingerprint, Holder, Outcome, Plan, Step};

use crate::{
    event::Event,
    halt::{Halt, Halted, Whereabouts},
    lock::{Lock, Takeover},
    ports::{Clock, Cloud, Journal, Probe},
    run::Run,
};

/// The ports, and the environment whose limits the steps keep to.
#[derive(Debug)]
pub struct Executor<'a, W, J, P, K> {
    /// What may be waited for, and for how long.
    pub environment: &'a Environment,
    /// AWS.
    pub cloud: &'a W,
    /// Records and lock.
    pub journal: &'a J,
    /// HTTP.
    pub probe: &'a P,
    /// Time.
    pub clock: &'a K,
}

/// Who runs it, and how far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Written into lock and record.
    pub holder: Holder,
    /// Whose lock may be taken.
    pub takeover: Takeover,
    /// Where to stop.
    pub until: Until,
}

/// How long a run stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until all users have the release; ECS watches the bake, with the alarms.
    Shifted,
    /// Until ECS says SUCCESSFUL.
    Done,
}

impl<W: Cloud, J: Journal, P: Probe, K: Clock> Executor<'_, W, J, P, K> {
    /// Carries out `plan` until it is done, halts, or `interrupt` comes.
    pub async fn execute(
        &self,
        plan: &Plan,
        intent: &Intent,
        interrupt: impl Future<Output = ()>,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<Outcome, Halted> {
        let untouched = |why: Halt| Halted {
            why,
            users: Whereabouts::Untouched,
        };
        let ttl = self.environment.lock.ttl;
        let (lock, taken_from) = Lock::acquire(
            self.journal,
            self.clock,
            &intent.holder,
            plan.command,
            ttl,
            intent.takeover,
        )
        .await
        .map_err(|error| untouched(error.into()))?;
        emit(Event::Locked {
            token: lock.token(),
            taken_from,
        });

        let mut run = Run::new(
            self.environment,
            plan,
            &intent.holder,
            lock.token(),
            self.clock.now(),
            emit,
        );
        let walked = tokio::select! {
            walked = self.guarded_walk(&mut run, intent.until, &lock) => walked,
            by = lock.keep() => Err(Halt::Overruled { by }),
            () = interrupt => Err(Halt::Interrupted),
        };
        if walked.is_err() {
            self.find_start(&mut run).await;
        }
        let walked = match walked {
            Err(Halt::Overruled { by }) => Err(self.overruled(&mut run, by).await),
            other => other,
        };
        let users = walked.as_ref().err().map(|halt| whereabouts(&run, halt));
        self.close(&mut run, &walked, users).await;
        lock.release().await;
        walked.map_err(|why| Halted {
            why,
            users: users.unwrap_or(Whereabouts::Unknown),
        })
    }

    async fn guarded_walk(&self, run: &mut Run<'_>, until: Until, lock: &Lock<'_, J, K>) -> Result<Outcome, Halt> {
        let observed = self.cloud.observe().await?;
        if Fingerprint::of(&observed) != run.plan.fingerprint {
            return Err(Halt::WorldMoved);
        }
        run.save(self.journal).await;
        self.walk(run, until, lock).await
    }

    async fn walk(&self, run: &mut Run<'_>, until: Until, lock: &Lock<'_, J, K>) -> Result<Outcome, Halt> {
        let plan = run.plan;
        let of = plan.steps.len();
        for (index, step) in plan.steps.iter().enumerate() {
            if until == Until::Shifted && matches!(step, Step::Bake { .. } | Step::Complete) {
                return Ok(Outcome::Shifted);
            }
            // A holder that slept past its lease (a suspended laptop, a starved runner) must find out before it changes anything.
            if let Some(by) = lock.renew().await {
                return Err(Halt::Overruled { by });
            }
            let number = index + 1;
            run.record.stopped_at = Some(step.name().to_owned());
            run.emit(Event::StepStarted {
                number,
                of,
                step: step.clone(),
            });
            let begun = self.clock.now();
            self.take(run, step).await?;
            let took = (self.clock.now() - begun).try_into().unwrap_or_default();
            run.finished(step, took);
            run.emit(Event::StepFinished {
                number,
                of,
                step: step.clone(),
                took,
            });
        }
        run.record.stopped_at = None;
        Ok(Outcome::Done)
    }

    async fn take(&self, run: &mut Run<'_>, step: &Step) -> Result<(), Halt> {
        match step {
            Step::Register {
                base,
                container,
                release,
                secrets,
            } => self.register(run, base, container, release, secrets).await,
            Step::Migrate { command, timeout } => self.migrate(run, command, *timeout).await,
            Step::Start {
                strategy,
                bake,
                pauses,
                decision_timeout,
                desired,
            } => {
                self.start(run, *strategy, *bake, pauses, *decision_timeout, *desired)
                    .await
            }
            Step::Attach { deployment } => self.attach(run, deployment).await,
            Step::SmokeTest => self.smoke_test(run).await,
            Step::Shift { to } => self.shift(run, *to).await,
            Step::Analyse { at } => self.analyse(run, *at).await,
            Step::Bake { minutes } => self.bake(run, *minutes).await,
            Step::Complete => self.complete(run).await,
            Step::Revert { deployment } => self.revert(run, deployment).await,
            Step::Relaunch {
                task_definition,
                desired,
                ..
            } => self.relaunch(run, task_definition, *desired).await,
            Step::AwaitReturn => self.await_return(run).await,
        }
    }

    /// Somebody took the lock over: a rollback is followed to its end so that the exit code tells the truth; anything else is left alone.
    async fn overruled(&self, run: &mut Run<'_>, by: Holder) -> Halt {
        let Some(deployment) = run.deployment().cloned() else {
            return Halt::Overruled { by };
        };
        let rolling_back = match self.journal.lease().await {
            Ok(Some((lease, _))) => lease.command == Command::Rollback && run.plan.command == Command::Deploy,
            Ok(None) | Err(_) => false,
        };
        if !rolling_back {
            return Halt::Overruled { by };
        }
        self.followed_back(run, &deployment, format!("rolled back by {}", by.name))
            .await
    }

    async fn close(&self, run: &mut Run<'_>, walked: &Result<Outcome, Halt>, users: Option<Whereabouts>) {
        run.record.outcome = match walked {
            Ok(outcome) => outcome.clone(),
            Err(Halt::RolledBack { reason, .. }) => Outcome::RolledBack { reason: reason.clone() },
            Err(Halt::Paused { .. }) => Outcome::Paused {
                reason: "the analysis cannot tell".to_owned(),
            },
            Err(halt) if users == Some(Whereabouts::Untouched) => Outcome::Failed {
                reason: halt.to_string(),
            },
            Err(halt) => Outcome::Interrupted {
                reason: halt.to_string(),
            },
        };
        run.record.ended_at = Some(self.clock.now());
        run.save(self.journal).await;
    }
}

fn whereabouts(run: &Run<'_>, halt: &Halt) -> Whereabouts {
    match halt {
        Halt::RolledBack { .. } => Whereabouts::Returned,
        Halt::RollbackFailed { .. } => Whereabouts::Unknown,
        Halt::Lock(_) | Halt::WorldMoved | Halt::Migration { .. } => Whereabouts::Untouched,
        Halt::Overruled { .. } | Halt::Paused { .. } | Halt::TimedOut { .. } | Halt::Interrupted | Halt::Port(_) => {
            if run.deployment().is_some() {
                Whereabouts::InFlight
            } else if run.starting.is_some() {
                Whereabouts::Unknown
            } else {
                Whereabouts::Untouched
            }
        }
    }
}

//! A run of migrations apart from a deploy: under the deploy lock when it changes something, with a record of what it did.

use std::future::Future;

use tt_environment::Environment;
use tt_plan::{
    Arn, Command, Fingerprint, Holder, MigrationPlan, MigrationSource, Outcome, RECORD_VERSION, Record, RecordId,
};

use crate::{
    database::{Database, MigrationsEnded, On},
    event::Event,
    halt::Halt,
    lock::{Lock, Takeover},
    ports::{Clock, Cloud, Journal, Registration},
    spoken,
    wait::with_cause,
};

/// The ports, and the environment whose database it is.
#[derive(Debug)]
pub struct Migration<'a, W, J, D, K> {
    /// Names the service and its lock.
    pub environment: &'a Environment,
    /// AWS.
    pub cloud: &'a W,
    /// Records and lock.
    pub journal: &'a J,
    /// The database, however it is reached.
    pub database: &'a D,
    /// Time.
    pub clock: &'a K,
}

/// What a run of migrations came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// How they ended.
    pub ended: MigrationsEnded,
}

impl<W: Cloud, J: Journal, D: Database, K: Clock> Migration<'_, W, J, D, K> {
    /// Carries out `plan`. An order that changes nothing takes no lock and leaves no record.
    pub async fn execute(
        &self,
        plan: &MigrationPlan,
        holder: &Holder,
        interrupt: impl Future<Output = ()>,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<Migrated, Halt> {
        if !plan.order.changes() {
            return tokio::select! {
                migrated = self.run(plan, emit) => migrated.map(|(_, migrated)| migrated),
                () = interrupt => Err(Halt::Interrupted),
            };
        }
        let command = plan.order.command();
        let ttl = self.environment.lock.ttl;
        let (lock, taken_from) =
            Lock::acquire(self.journal, self.clock, holder, command, ttl, Takeover::Expired).await?;
        emit(Event::Locked {
            token: lock.token(),
            taken_from,
        });
        let mut record = self.record(plan, holder, lock.token());
        let migrated = tokio::select! {
            migrated = self.guarded(plan, &mut record, emit) => migrated,
            by = lock.keep() => Err(Halt::Overruled { by }),
            () = interrupt => Err(Halt::Interrupted),
        };
        record.outcome = outcome(&migrated);
        record.ended_at = Some(self.clock.now());
        self.save(&record, emit).await;
        lock.release().await;
        migrated
    }

    async fn guarded(
        &self,
        plan: &MigrationPlan,
        record: &mut Record,
        emit: &(dyn Fn(Event) + Sync),
    ) -> Result<Migrated, Halt> {
        let observed = self.cloud.observe().await?;
        if Fingerprint::of(&observed) != plan.fingerprint {
            return Err(Halt::WorldMoved);
        }
        self.save(record, emit).await;
        let (task_definition, migrated) = self.run(plan, emit).await?;
        record.task_definition = task_definition;
        record.schema = spoken::range(&migrated.ended.lines);
        if plan.order.command() == Command::DbMigrate {
            record.schema_changes.extend(spoken::removed(&migrated.ended.lines));
        }
        Ok(migrated)
    }

    async fn run(&self, plan: &MigrationPlan, emit: &(dyn Fn(Event) + Sync)) -> Result<(Option<Arn>, Migrated), Halt> {
        let task_definition = self.task_definition(plan).await?;
        let on = On {
            task_definition: task_definition.clone(),
            copy: None,
        };
        let ended = self.database.migrate(&plan.order, &on, emit).await?;
        Ok((task_definition, Migrated { ended }))
    }

    /// The task definition of the release that runs them, registered first where it is not the live one; none for files beside tt-ops.
    pub async fn task_definition(&self, plan: &MigrationPlan) -> Result<Option<Arn>, Halt> {
        match &plan.source {
            MigrationSource::Live => Ok(Some(plan.live.clone())),
            MigrationSource::Image(release) => {
                let registration = Registration {
                    base: plan.live.clone(),
                    container: self.environment.service.container.clone(),
                    release: release.clone(),
                    secrets: self.environment.secrets.clone(),
                };
                Ok(Some(self.cloud.register(&registration).await?.task_definition))
            }
            MigrationSource::Files(_) => Ok(None),
        }
    }

    fn record(&self, plan: &MigrationPlan, holder: &Holder, token: u64) -> Record {
        let now = self.clock.now();
        Record {
            version: RECORD_VERSION,
            id: RecordId::new(now, token),
            environment: self.environment.name.clone(),
            command: plan.order.command(),
            who: holder.clone(),
            release: plan.release.clone(),
            image: match &plan.source {
                MigrationSource::Live | MigrationSource::Files(_) => None,
                MigrationSource::Image(release) => Some(release.image.clone()),
            },
            commit: None,
            task_definition: None,
            previous: None,
            deployment: None,
            plan: Vec::new(),
            timings: Vec::new(),
            schema: None,
            schema_changes: plan.changes.clone(),
            outcome: Outcome::Running,
            stopped_at: None,
            token,
            started_at: now,
            ended_at: None,
        }
    }

    async fn save(&self, record: &Record, emit: &(dyn Fn(Event) + Sync)) {
        if let Err(error) = self.journal.put(record).await {
            emit(Event::RecordLost {
                reason: with_cause(&error),
            });
        }
    }
}

fn outcome(migrated: &Result<Migrated, Halt>) -> Outcome {
    match migrated {
        Ok(Migrated {
            ended: MigrationsEnded { exit_code: 0, .. },
        }) => Outcome::Done,
        // The exit code of a run that stands half-way, and can be resumed.
        Ok(Migrated {
            ended: MigrationsEnded {
                exit_code: 7, reason, ..
            },
        }) => Outcome::Interrupted { reason: reason.clone() },
        Ok(Migrated { ended }) => Outcome::Failed {
            reason: format!("exit code {}: {}", ended.exit_code, ended.reason),
        },
        Err(halt @ (Halt::Interrupted | Halt::Overruled { .. })) => Outcome::Interrupted {
            reason: halt.to_string(),
        },
        Err(halt) => Outcome::Failed {
            reason: halt.to_string(),
        },
    }
}

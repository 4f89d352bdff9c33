//! From a plan about backups to its outcome: walk the steps, take away what should not stay, write down what a drill found.

use std::{future::Future, time::Duration};

use time::OffsetDateTime;
use tt_environment::{Environment, InstanceName};
use tt_plan::{
    Arn, Holder,
    database::{
        DRILL_VERSION, DatabaseCommand, DatabasePlan, DatabaseStep, DrillOutcome, DrillRecord, ExaminationFinding,
        Instance, RestoreFrom, RunId, Verdict,
    },
};

use super::{
    event::DatabaseEvent,
    halt::{DatabaseHalt, DatabaseHalted},
    ports::{Backups, Database, MigrationsEnded},
};
use crate::{ports::Clock, wait::with_cause};

/// The ports, and what every step goes by.
pub struct DatabaseExecutor<'a, B, D, K> {
    /// Names the Region, the tags and the limits.
    pub environment: &'a Environment,
    /// RDS.
    pub backups: &'a B,
    /// The databases themselves.
    pub database: &'a D,
    /// Time.
    pub clock: &'a K,
    /// The release whose task looks into databases and migrates them; the live one when absent.
    pub task_definition: Option<&'a Arn>,
    /// Who is written into records.
    pub holder: &'a Holder,
    /// Where events go.
    pub emit: &'a (dyn Fn(DatabaseEvent) + Sync),
}

impl<B, D, K> std::fmt::Debug for DatabaseExecutor<'_, B, D, K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseExecutor")
            .field("environment", &self.environment.name)
            .finish_non_exhaustive()
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseOutcome {
    /// All done.
    Done,
    /// An instance stands beside its source.
    Restored {
        /// It.
        instance: Box<Instance>,
    },
    /// A copy was looked at and is gone again.
    Drilled {
        /// What was found.
        drill: Box<DrillRecord>,
    },
    /// Migrations ran on a copy, which is gone again.
    Rehearsed {
        /// How they ended.
        migrations: MigrationsEnded,
    },
}

/// What a run has learnt so far.
pub(crate) struct Walked {
    pub(crate) started_at: OffsetDateTime,
    /// The copy, from when RDS was asked for it.
    pub(crate) copy: Option<InstanceName>,
    /// What tells the copy from one that another run makes under its name.
    pub(crate) run: Option<RunId>,
    pub(crate) restored: Option<Instance>,
    pub(crate) from: Option<RestoreFrom>,
    pub(crate) available_after: Option<Duration>,
    pub(crate) verified_after: Option<Duration>,
    pub(crate) findings: Vec<ExaminationFinding>,
    pub(crate) migrations: Option<MigrationsEnded>,
}

impl<B: Backups, D: Database, K: Clock> DatabaseExecutor<'_, B, D, K> {
    /// Carries out `plan` until it is done, halts, or `interrupt` comes.
    pub async fn execute(
        &self,
        plan: &DatabasePlan,
        interrupt: impl Future<Output = ()>,
    ) -> Result<DatabaseOutcome, DatabaseHalted> {
        let mut walked = Walked {
            started_at: self.clock.now(),
            copy: None,
            run: None,
            restored: None,
            from: None,
            available_after: None,
            verified_after: None,
            findings: Vec::new(),
            migrations: None,
        };
        let ended = tokio::select! {
            ended = self.walk(plan, &mut walked) => ended,
            () = interrupt => Err(DatabaseHalt::Interrupted),
        };
        let drill = self.conclude(plan, &walked, &ended).await;
        if let Err(why) = ended {
            let left = self.clean_up(plan, &walked).await;
            return Err(DatabaseHalted { why, left });
        }
        Ok(match (plan.command, drill, walked.migrations, walked.restored) {
            (DatabaseCommand::Drill, Some(drill), _, _) => DatabaseOutcome::Drilled { drill: Box::new(drill) },
            (DatabaseCommand::Rehearse, _, Some(migrations), _) => DatabaseOutcome::Rehearsed { migrations },
            (DatabaseCommand::Restore, _, _, Some(instance)) => DatabaseOutcome::Restored {
                instance: Box::new(instance),
            },
            _ => DatabaseOutcome::Done,
        })
    }

    async fn walk(&self, plan: &DatabasePlan, walked: &mut Walked) -> Result<(), DatabaseHalt> {
        let of = plan.steps.len();
        for (index, step) in plan.steps.iter().enumerate() {
            let number = index + 1;
            (self.emit)(DatabaseEvent::StepStarted {
                number,
                of,
                step: step.clone(),
            });
            let begun = self.clock.now();
            self.take(step, walked).await?;
            (self.emit)(DatabaseEvent::StepFinished {
                number,
                of,
                step: step.clone(),
                took: Duration::try_from(self.clock.now() - begun).unwrap_or_default(),
            });
        }
        Ok(())
    }

    async fn take(&self, step: &DatabaseStep, walked: &mut Walked) -> Result<(), DatabaseHalt> {
        match step {
            DatabaseStep::TakeSnapshot {
                instance,
                snapshot,
                mark,
            } => self.take_snapshot(instance, snapshot, mark).await,
            DatabaseStep::CopySnapshot {
                snapshot,
                to,
                kms_key,
                mark,
            } => self.copy_snapshot(snapshot, to, kms_key.as_ref(), mark).await,
            DatabaseStep::ReplicateBackups {
                instance,
                to,
                kms_key,
                retention_days,
            } => Ok(self
                .backups
                .replicate(instance, to, kms_key.as_ref(), *retention_days)
                .await?),
            DatabaseStep::DeleteSnapshot {
                region,
                snapshot,
                mark,
                outlived_by,
            } => self.delete_snapshot(region, snapshot, mark, outlived_by).await,
            DatabaseStep::Restore {
                from,
                source,
                copy,
                settings,
                mark,
            } => {
                walked.copy = Some(copy.clone());
                walked.run.clone_from(&mark.run);
                walked.from = Some(from.clone());
                if let Err(error) = self.backups.restore(from, source, copy, settings, mark).await {
                    self.or_ours(error, mark, walked).await?;
                }
                walked.restored = Some(self.instance_available(copy).await?);
                walked.available_after = Some(self.since(walked.started_at));
                Ok(())
            }
            DatabaseStep::Examine { .. } => self.examine(walked).await,
            DatabaseStep::Migrate { .. } => self.rehearse(walked).await,
            DatabaseStep::DeleteInstance { instance } => {
                let copy = walked.copy.as_ref() == Some(instance);
                let run = walked.run.as_ref().filter(|_| copy);
                self.delete_instance(instance, run).await?;
                if copy {
                    walked.copy = None;
                }
                Ok(())
            }
        }
    }

    pub(crate) fn since(&self, then: OffsetDateTime) -> Duration {
        Duration::try_from(self.clock.now() - then).unwrap_or_default()
    }

    /// Writes down how a drill went, be it badly: a drill that nobody remembers proves nothing.
    async fn conclude(
        &self,
        plan: &DatabasePlan,
        walked: &Walked,
        ended: &Result<(), DatabaseHalt>,
    ) -> Option<DrillRecord> {
        let (Some(from), DatabaseCommand::Drill) = (&walked.from, plan.command) else {
            return None;
        };
        let copy = plan.steps.iter().find_map(|step| match step {
            DatabaseStep::Restore { copy, .. } => Some(copy.clone()),
            DatabaseStep::TakeSnapshot { .. }
            | DatabaseStep::CopySnapshot { .. }
            | DatabaseStep::ReplicateBackups { .. }
            | DatabaseStep::DeleteSnapshot { .. }
            | DatabaseStep::Examine { .. }
            | DatabaseStep::Migrate { .. }
            | DatabaseStep::DeleteInstance { .. } => None,
        })?;
        let failed = walked
            .findings
            .iter()
            .any(|finding| finding.verdict() == Verdict::Failed);
        let outcome = match ended {
            Err(why) if walked.verified_after.is_none() => DrillOutcome::NotFinished {
                reason: why.to_string(),
            },
            Ok(()) | Err(_) if failed => DrillOutcome::Failed,
            Ok(()) | Err(_) => DrillOutcome::Passed,
        };
        let age = Duration::try_from(walked.started_at - from.data_until()).unwrap_or_default();
        let drill = DrillRecord {
            version: DRILL_VERSION,
            environment: self.environment.name.clone(),
            region: self.environment.aws.region.clone(),
            instance: plan.instance.clone(),
            copy,
            from: from.clone(),
            who: self.holder.clone(),
            started_at: walked.started_at,
            data_age_millis: millis(age),
            available_after_millis: walked.available_after.map(millis),
            verified_after_millis: walked.verified_after.map(millis),
            findings: walked.findings.clone(),
            outcome,
        };
        self.remember(&drill).await;
        Some(drill)
    }

    async fn remember(&self, drill: &DrillRecord) {
        let lost = |error: &crate::ports::PortError| {
            (self.emit)(DatabaseEvent::RecordLost {
                reason: with_cause(error),
            });
        };
        if let Err(error) = self.backups.keep(drill).await {
            lost(&error);
        }
        if let (RestoreFrom::Snapshot { snapshot, .. }, DrillOutcome::Passed) = (&drill.from, &drill.outcome)
            && let Err(error) = self.backups.mark_tested(snapshot, self.clock.now()).await
        {
            lost(&error);
        }
    }

    /// Takes away what a drill or a rehearsal made, however it ended; gives what could not be taken away.
    async fn clean_up(&self, plan: &DatabasePlan, walked: &Walked) -> Option<InstanceName> {
        let copy = walked.copy.clone()?;
        if !plan.command.leaves_nothing() {
            return Some(copy);
        }
        (self.emit)(DatabaseEvent::CleaningUp { copy: copy.clone() });
        match self.delete_instance(&copy, walked.run.as_ref()).await {
            // What another run has made under the name is that one's to take away.
            Ok(()) | Err(DatabaseHalt::Gone { .. } | DatabaseHalt::NotOurs { .. }) => None,
            Err(_left_behind) => Some(copy),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

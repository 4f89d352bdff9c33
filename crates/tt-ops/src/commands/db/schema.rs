//! `db-status`, `db-migrate`, `db-rollback`: the release's own migrations, apart from a deploy.

use time::OffsetDateTime;
use tt_environment::InstanceName;
use tt_execute::{
    Cloud, Journal, Migration,
    database::{DatabaseOutcome, TaskDatabase},
};
use tt_plan::{
    Command, MigrationOrder, MigrationPlan, Observed, Outcome, Phase, RECORD_VERSION, Record, RecordId, Release,
    database::{self, DatabaseCommand, Extent, RestoreTarget},
};

use crate::{
    cli::{self, Global},
    commands::{backup::snapshot_name, copies::carry_out, deploy::interrupted, release},
    context::{Context, SystemClock, holder},
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

pub(crate) async fn status(global: &Global, args: &cli::DbStatus, reporter: &Reporter) -> Result<Exit, Failure> {
    let run = Run::open(global, &args.environment, args.image.as_deref()).await?;
    run.order(MigrationOrder::Status, Question::Never, reporter).await
}

pub(crate) async fn migrate(global: &Global, args: &cli::DbMigrate, reporter: &Reporter) -> Result<Exit, Failure> {
    let run = Run::open(global, &args.environment, args.image.as_deref()).await?;
    let phase = args.phase.map(|phase| match phase {
        cli::Phase::Expand => Phase::Expand,
        cli::Phase::Backfill => Phase::Backfill,
        cli::Phase::Contract => Phase::Contract,
    });
    let question = if args.yes { Question::Never } else { Question::Asked };
    if let Some(backup) = &args.rehearse {
        return run.rehearse(backup, reporter).await;
    }
    let order = match (args.plan, args.check, args.resume) {
        (true, _, _) => MigrationOrder::Plan { phase },
        (_, true, _) => MigrationOrder::Check,
        (_, _, true) => MigrationOrder::Resume,
        (false, false, false) => MigrationOrder::Up { phase },
    };
    run.order(order, question, reporter).await
}

pub(crate) async fn rollback(global: &Global, args: &cli::DbRollback, reporter: &Reporter) -> Result<Exit, Failure> {
    let run = Run::open(global, &args.environment, args.image.as_deref()).await?;
    let to = args.to;
    let question = if args.yes { Question::Never } else { Question::Asked };
    let accept = args.accept_data_loss.clone();
    run.order(MigrationOrder::Down { to, accept }, question, reporter).await
}

/// Whether a person is asked before the schema changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Asked,
    Never,
}

/// What all three begin with.
struct Run {
    context: Context,
    observed: Observed,
    release: Option<Release>,
}

impl Run {
    async fn open(global: &Global, environment: &str, image: Option<&str>) -> Result<Self, Failure> {
        let context = Context::open(global, environment).await?;
        let observed = context
            .cloud()
            .observe()
            .await
            .map_err(|error| context.failure(error))?;
        let release = match image {
            Some(image) => Some(release::resolve(&context, image, None, None).await?),
            None => None,
        };
        Ok(Self {
            context,
            observed,
            release,
        })
    }

    async fn order(&self, order: MigrationOrder, question: Question, reporter: &Reporter) -> Result<Exit, Failure> {
        let environment = &self.context.environment;
        let cloud = self.context.cloud();
        let contracts = matches!(
            order,
            MigrationOrder::Up {
                phase: Some(Phase::Contract)
            }
        );
        let running = if contracts {
            cloud
                .running_tasks()
                .await
                .map_err(|error| self.context.failure(error))?
        } else {
            Vec::new()
        };
        let plan = tt_plan::migrate(environment, &self.observed, &running, order, self.release.clone())?;
        reporter.migration(environment, &plan);
        let asked = question == Question::Asked && plan.order.changes();
        if asked && !reporter.confirm(&format!("Change the schema of {}?", environment.name)) {
            return Ok(Exit::Refused);
        }
        if matches!(&plan.order, MigrationOrder::Down { accept, .. } if !accept.is_empty()) {
            let saved = self.save_first(reporter).await?;
            if saved != Exit::Done {
                return Ok(saved);
            }
        }
        let database = TaskDatabase {
            environment,
            cloud: &cloud,
            clock: &SystemClock,
        };
        let migration = Migration {
            environment,
            cloud: &cloud,
            journal: &self.context.journal,
            database: &database,
            clock: &SystemClock,
        };
        let holder = holder(&self.observed.caller.arn);
        let ended = Box::pin(migration.execute(&plan, &holder, interrupted(), &|event| reporter.event(&event))).await;
        Ok(reporter.migrated(environment, &plan, &ended))
    }

    /// Before rows go that somebody has given up, a snapshot keeps them, where the environment says how backups are made.
    async fn save_first(&self, reporter: &Reporter) -> Result<Exit, Failure> {
        let environment = &self.context.environment;
        if environment
            .database
            .as_ref()
            .is_none_or(|database| database.backup.is_none())
        {
            return Ok(Exit::Done);
        }
        let observed = self
            .context
            .backups()
            .observe()
            .await
            .map_err(|error| self.context.failure(error))?;
        let name = snapshot_name(&observed.source.name, "-before-rollback", observed.at)?;
        let plan = database::backup(environment, &observed, &name, Extent::SnapshotAlone)?;
        reporter.database_plan(environment, &plan);
        let ended = carry_out(
            &self.context,
            &self.context.cloud(),
            &plan,
            None,
            &observed.caller,
            reporter,
        )
        .await;
        Ok(reporter.database_ended(environment, &plan, &ended))
    }

    /// Restores a backup beside, migrates the copy, and takes the copy away again.
    async fn rehearse(&self, backup: &RestoreTarget, reporter: &Reporter) -> Result<Exit, Failure> {
        let environment = &self.context.environment;
        let cloud = self.context.cloud();
        let order = MigrationOrder::Up { phase: None };
        let migration = tt_plan::migrate(environment, &self.observed, &[], order, self.release.clone())?;
        let observed = self
            .context
            .backups()
            .observe()
            .await
            .map_err(|error| self.context.failure(error))?;
        let copy = copy_name(&observed.source.name, observed.at)?;
        let plan = database::restore(environment, &observed, backup, &copy, DatabaseCommand::Rehearse)?;
        reporter.database_plan(environment, &plan);

        let runner = Migration {
            environment,
            cloud: &cloud,
            journal: &self.context.journal,
            database: &TaskDatabase {
                environment,
                cloud: &cloud,
                clock: &SystemClock,
            },
            clock: &SystemClock,
        };
        let task_definition = runner.task_definition(&migration.image).await?;
        let ended = carry_out(
            &self.context,
            &cloud,
            &plan,
            Some(&task_definition),
            &self.observed.caller,
            reporter,
        )
        .await;
        let exit = reporter.database_ended(environment, &plan, &ended);
        let outcome = match &ended {
            Ok(DatabaseOutcome::Rehearsed { migrations }) if migrations.exit_code == 0 => Outcome::Done,
            Ok(DatabaseOutcome::Rehearsed { migrations }) => Outcome::Failed {
                reason: format!("exit code {}: {}", migrations.exit_code, migrations.reason),
            },
            Ok(_) => Outcome::Failed {
                reason: "no migration ran".to_owned(),
            },
            Err(halted) => Outcome::Failed {
                reason: halted.why.to_string(),
            },
        };
        let record = self.record(&migration, &copy, outcome);
        self.context
            .journal
            .put(&record)
            .await
            .map_err(|error| self.context.failure(error))?;
        Ok(exit)
    }

    /// What a deploy looks for where the environment wants rehearsals.
    fn record(&self, migration: &MigrationPlan, copy: &InstanceName, outcome: Outcome) -> Record {
        let token = self.observed.lease.as_ref().map_or(0, |lease| lease.token);
        Record {
            version: RECORD_VERSION,
            id: RecordId::new(self.observed.at, token),
            environment: self.context.environment.name.clone(),
            command: Command::Rehearse,
            who: holder(&self.observed.caller.arn),
            release: migration.release.clone(),
            image: self.release.as_ref().map(|release| release.image.clone()),
            commit: None,
            task_definition: None,
            previous: None,
            deployment: None,
            plan: Vec::new(),
            timings: Vec::new(),
            schema: None,
            schema_changes: Vec::new(),
            outcome,
            stopped_at: Some(copy.to_string()),
            token,
            started_at: self.observed.at,
            ended_at: Some(OffsetDateTime::now_utc()),
        }
    }
}

fn copy_name(source: &InstanceName, now: OffsetDateTime) -> Result<InstanceName, Failure> {
    // 63 characters at most: the source's name gives way to the time, which makes the name unique.
    let stem: String = source.as_str().chars().take(40).collect();
    let name = format!(
        "{}-rehearsal-{:02}{:02}{:02}{:02}",
        stem.trim_end_matches('-'),
        now.day(),
        now.hour(),
        now.minute(),
        now.second()
    );
    InstanceName::parse(&name).map_err(|error| Failure::new(Exit::Internal, error.to_string()))
}

//! `db-status`, `db-migrate`, `db-rollback`: migrations apart from a deploy.

use tt_aws::AwsCloud;
use tt_execute::{Cloud, Migration};
use tt_plan::{
    Files, MigrationOrder, MigrationPlan, MigrationSource, Observed, Phase,
    database::{self, Extent},
};

use super::rehearse::Rehearsal;
use crate::{
    cli::{self, Global},
    commands::{backup::snapshot_name, copies::carry_out, deploy::interrupted, release},
    context::{Context, SystemClock, holder},
    exit::Exit,
    failure::Failure,
    reach::{Direct, Way},
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
        let rehearsal = Rehearsal::plan(&run, backup).await?;
        reporter.database_plan(&run.context.environment, &rehearsal.plan);
        if args.plan {
            return Ok(Exit::Done);
        }
        return rehearsal.carry_out(&run, reporter).await;
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
    let order = if args.plan {
        MigrationOrder::PlanDown { to }
    } else {
        let accept = args.accept_data_loss.clone();
        MigrationOrder::Down { to, accept }
    };
    run.order(order, question, reporter).await
}

/// Whether a person is asked before the schema changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Asked,
    Never,
}

/// What all three begin with.
pub(super) struct Run {
    pub(super) context: Context,
    pub(super) observed: Observed,
    from: From,
}

/// Where the migrations come from. An image carries its own, so it is run as a task whatever the environment says.
enum From {
    Task(MigrationSource),
    Here(Box<Direct>),
}

impl Run {
    async fn open(global: &Global, environment: &str, image: Option<&str>) -> Result<Self, Failure> {
        let context = Context::open(global, environment).await?;
        let observed = context
            .cloud()
            .observe()
            .await
            .map_err(|error| context.failure(error))?;
        let from = match image {
            Some(image) => From::Task(MigrationSource::Image(
                release::resolve(&context, image, None, None).await?,
            )),
            None => match Direct::open(&context).await? {
                Some(direct) => From::Here(Box::new(direct)),
                None => From::Task(MigrationSource::Live),
            },
        };
        Ok(Self {
            context,
            observed,
            from,
        })
    }

    async fn order(self, order: MigrationOrder, question: Question, reporter: &Reporter) -> Result<Exit, Failure> {
        let environment = &self.context.environment;
        let cloud = self.context.cloud();
        let plan = self.plan(order).await?;
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
        let migration = Migration {
            environment,
            cloud: &cloud,
            journal: &self.context.journal,
            database: &self.way(&cloud),
            clock: &SystemClock,
        };
        let holder = holder(&self.observed.caller.arn);
        let ended = Box::pin(migration.execute(&plan, &holder, interrupted(), &|event| reporter.event(&event))).await;
        Ok(reporter.migrated(environment, &plan, &ended))
    }

    pub(super) async fn plan(&self, order: MigrationOrder) -> Result<MigrationPlan, Failure> {
        let contracts = matches!(
            order,
            MigrationOrder::Up {
                phase: Some(Phase::Contract)
            }
        );
        let running = if contracts {
            let running = self.context.cloud().running_tasks().await;
            running.map_err(|error| self.context.failure(error))?
        } else {
            Vec::new()
        };
        let source = match &self.from {
            From::Task(source) => source.clone(),
            From::Here(direct) => MigrationSource::Files(Files {
                folder: direct.folder(),
                pending_contracts: if contracts {
                    direct.pending_contracts().await?
                } else {
                    Vec::new()
                },
            }),
        };
        let environment = &self.context.environment;
        Ok(tt_plan::migrate(environment, &self.observed, &running, order, source)?)
    }

    pub(super) fn way<'a>(&'a self, cloud: &'a AwsCloud<'a>) -> Way<'a> {
        match &self.from {
            From::Task(_) => Way::by_task(&self.context, cloud),
            From::Here(direct) => Way::Direct(direct),
        }
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
        // A second try within the second has a snapshot of its own.
        let infix = format!("-before-rollback-{}", std::process::id());
        let name = snapshot_name(&observed.source.name, &infix, observed.at)?;
        let plan = database::backup(environment, &observed, &name, Extent::SnapshotAlone)?;
        reporter.database_plan(environment, &plan);
        let cloud = self.context.cloud();
        let ended = carry_out(
            &self.context,
            &self.way(&cloud),
            &plan,
            None,
            &observed.caller,
            reporter,
        )
        .await;
        Ok(reporter.database_ended(environment, &plan, &ended))
    }
}

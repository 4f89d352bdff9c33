//! `db-migrate --rehearse`: the pending migrations on a restored copy, which goes again.

use time::OffsetDateTime;
use tt_environment::InstanceName;
use tt_execute::{Journal, Migration, database::DatabaseOutcome};
use tt_plan::{
    Command, MigrationOrder, MigrationPlan, MigrationSource, Outcome, RECORD_VERSION, Record, RecordId,
    database::{self, DatabaseCommand, DatabasePlan, RestoreTarget},
};

use super::schema::Run;
use crate::{
    commands::copies::carry_out,
    context::{SystemClock, holder, run_id},
    exit::Exit,
    failure::Failure,
    report::Reporter,
};

/// What a rehearsal does: restore a backup beside, migrate the copy, and take the copy away again.
pub(super) struct Rehearsal {
    migration: MigrationPlan,
    copy: InstanceName,
    pub(super) plan: DatabasePlan,
}

impl Rehearsal {
    pub(super) async fn plan(run: &Run, backup: &RestoreTarget) -> Result<Self, Failure> {
        let migration = run.plan(MigrationOrder::Up { phase: None }).await?;
        let observed = run.context.backups().observe().await;
        let observed = observed.map_err(|error| run.context.failure(error))?;
        let copy = copy_name(&observed.source.name, observed.at)?;
        let (command, id) = (DatabaseCommand::Rehearse, run_id(observed.at));
        let plan = database::restore(&run.context.environment, &observed, backup, &copy, command, &id)?;
        Ok(Self { migration, copy, plan })
    }

    pub(super) async fn carry_out(&self, run: &Run, reporter: &Reporter) -> Result<Exit, Failure> {
        let environment = &run.context.environment;
        let cloud = run.context.cloud();
        let way = run.way(&cloud);
        let runner = Migration {
            environment,
            cloud: &cloud,
            journal: &run.context.journal,
            database: &way,
            clock: &SystemClock,
        };
        let task_definition = runner.task_definition(&self.migration).await?;
        let ended = carry_out(
            &run.context,
            &way,
            &self.plan,
            task_definition.as_ref(),
            &run.observed.caller,
            reporter,
        )
        .await;
        let exit = reporter.database_ended(environment, &self.plan, &ended);
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
        let record = self.record(run, outcome);
        run.context
            .journal
            .put(&record)
            .await
            .map_err(|error| run.context.failure(error))?;
        Ok(exit)
    }

    /// What a deploy looks for where the environment wants rehearsals.
    fn record(&self, run: &Run, outcome: Outcome) -> Record {
        let token = run.observed.lease.as_ref().map_or(0, |lease| lease.token);
        Record {
            version: RECORD_VERSION,
            id: RecordId::new(run.observed.at, token),
            environment: run.context.environment.name.clone(),
            command: Command::Rehearse,
            who: holder(&run.observed.caller.arn),
            release: self.migration.release.clone(),
            // What a deploy wants rehearsed is its image; files beside tt-ops are none.
            image: match &self.migration.source {
                MigrationSource::Image(release) => Some(release.image.clone()),
                MigrationSource::Live | MigrationSource::Files(_) => None,
            },
            commit: None,
            task_definition: None,
            previous: None,
            deployment: None,
            plan: Vec::new(),
            timings: Vec::new(),
            schema: None,
            schema_changes: Vec::new(),
            outcome,
            stopped_at: Some(self.copy.to_string()),
            token,
            started_at: run.observed.at,
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

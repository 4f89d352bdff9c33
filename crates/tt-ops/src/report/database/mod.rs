//! Reports for whoever looks after the database: backups, restores, drills, migrations.

mod json;
mod tables;
mod words;

use console::style;
use tt_environment::Environment;
use tt_execute::{
    Halt, Migrated,
    database::{DatabaseEvent, DatabaseHalted, DatabaseOutcome},
};
use tt_plan::{
    MigrationPlan,
    database::{BackupFinding, DatabaseObserved, DatabasePlan, DrillOutcome, DrillRecord, Measured, RegionReport},
};

use super::{Loudness, Reporter, Sink, complain, locked, print_error_line, print_line};
use crate::{exit::Exit, failure::chain};

pub(super) use self::words::{facts, step, working};

impl Reporter {
    /// One fact of a run about backups.
    pub(crate) fn database_event(&self, event: &DatabaseEvent) {
        match &self.sink {
            Sink::Json => json::event(event),
            Sink::Bars(_) | Sink::Lines(_) if self.loudness == Loudness::Quiet => {}
            Sink::Bars(bars) => locked(bars).database(event, self.loudness),
            Sink::Lines(lines) => locked(lines).database(event, self.loudness),
        }
    }

    pub(crate) fn database_plan(&self, environment: &Environment, plan: &DatabasePlan) {
        match &self.sink {
            Sink::Json => json::plan(environment, plan),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&words::plan(environment, plan)),
        }
    }

    /// How a run about backups ended; chooses the exit code.
    pub(crate) fn database_ended(
        &self,
        environment: &Environment,
        plan: &DatabasePlan,
        ended: &Result<DatabaseOutcome, DatabaseHalted>,
    ) -> Exit {
        let exit = exit(ended);
        self.finish();
        match (&self.sink, ended) {
            (Sink::Json, _) => json::ended(environment, plan, ended, exit),
            (Sink::Bars(_) | Sink::Lines(_), Ok(outcome)) => {
                print_line(&words::outcome(environment, plan, outcome));
                if let DatabaseOutcome::Drilled { drill } = outcome {
                    print_line(&tables::drill(drill));
                }
            }
            (Sink::Bars(_) | Sink::Lines(_), Err(halted)) => {
                complain(&[chain(&halted.why)], &words::next(&halted.why));
                let left = words::left(halted);
                print_error_line(&format!("{} {left}", style(" left:").for_stderr().bold()));
            }
        }
        exit
    }

    pub(crate) fn backups(&self, environment: &Environment, observed: &DatabaseObserved) {
        match &self.sink {
            Sink::Json => json::backups(environment, observed),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&tables::backups(environment, observed)),
        }
    }

    pub(crate) fn backups_verified(&self, environment: &Environment, findings: &[BackupFinding]) {
        match &self.sink {
            Sink::Json => json::verified(environment, findings),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&tables::verified(environment, findings)),
        }
    }

    pub(crate) fn backups_report(
        &self,
        environment: &Environment,
        regions: &[RegionReport],
        last: Option<&DrillRecord>,
    ) {
        match &self.sink {
            Sink::Json => json::report(environment, regions, last),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&tables::report(environment, regions, last)),
        }
    }

    /// What a run of migrations is about to do.
    pub(crate) fn migration(&self, environment: &Environment, plan: &MigrationPlan) {
        match &self.sink {
            Sink::Json => json::migration(environment, plan),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&words::migration(environment, plan)),
        }
    }

    /// How a run of migrations ended; the exit code is that of whoever ran them.
    pub(crate) fn migrated(
        &self,
        environment: &Environment,
        plan: &MigrationPlan,
        ended: &Result<Migrated, Halt>,
    ) -> Exit {
        let exit = match ended {
            Ok(migrated) => Exit::of_code(migrated.ended.exit_code),
            Err(halt) => Exit::of_migration(halt),
        };
        self.finish();
        match (&self.sink, ended) {
            (Sink::Json, _) => json::migrated(environment, plan, ended, exit),
            (Sink::Bars(_) | Sink::Lines(_), Ok(migrated)) if exit == Exit::Done => {
                print_line(&words::migrated(environment, plan, migrated));
            }
            (Sink::Bars(_) | Sink::Lines(_), Ok(migrated)) => {
                complain(
                    &[words::not_migrated(migrated, exit)],
                    &words::next_of(exit, environment, &plan.order),
                );
            }
            (Sink::Bars(_) | Sink::Lines(_), Err(halt)) => {
                complain(&[chain(halt)], &words::next_of(exit, environment, &plan.order));
            }
        }
        exit
    }

    fn finish(&self) {
        match &self.sink {
            Sink::Bars(bars) => locked(bars).finish(),
            Sink::Lines(lines) => locked(lines).finish(),
            Sink::Json => {}
        }
    }
}

fn exit(ended: &Result<DatabaseOutcome, DatabaseHalted>) -> Exit {
    match ended {
        Ok(DatabaseOutcome::Done | DatabaseOutcome::Restored { .. }) => Exit::Done,
        Ok(DatabaseOutcome::Drilled { drill }) => match drill.outcome {
            DrillOutcome::Passed => Exit::Done,
            DrillOutcome::Failed | DrillOutcome::NotFinished { .. } => Exit::Backup,
        },
        Ok(DatabaseOutcome::Rehearsed { migrations }) => Exit::of_code(migrations.exit_code),
        Err(halted) => Exit::of_database(halted),
    }
}

fn kept(measured: Measured) -> &'static str {
    match measured {
        Measured::Value { .. } if measured.is_kept() => "kept",
        Measured::Value { .. } => "broken",
        Measured::NoData { .. } => "no-data",
        Measured::NotPromised => "not-promised",
    }
}

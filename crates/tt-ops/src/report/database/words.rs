//! Facts about backups and migrations as sentences.

use std::{fmt::Write, time::Duration};

use console::style;
use time::{OffsetDateTime, UtcOffset};
use tt_environment::Environment;
use tt_execute::{
    Migrated,
    database::{DatabaseEvent, DatabaseHalt, DatabaseHalted, DatabaseOutcome},
};
use tt_plan::{
    MigrationOrder, MigrationPlan, MigrationSource,
    database::{
        Amcheck, DatabaseCommand, DatabasePlan, DatabaseStep, DatabaseWarning, DrillOutcome, DrillRecord,
        ExaminationFinding, RestoreFrom,
    },
};

use super::super::words::span;
use crate::exit::Exit;

/// A step as an instruction.
pub(in super::super) fn step(step: &DatabaseStep) -> String {
    match step {
        DatabaseStep::TakeSnapshot { instance, snapshot, .. } => format!("take snapshot {snapshot} of {instance}"),
        DatabaseStep::CopySnapshot { snapshot, to, .. } => format!("copy snapshot {snapshot} to {to}"),
        DatabaseStep::ReplicateBackups { to, retention_days, .. } => {
            format!("have RDS replicate the automated backups to {to}, kept {retention_days} days")
        }
        DatabaseStep::DeleteSnapshot { region, snapshot, .. } => format!("delete snapshot {snapshot} in {region}"),
        DatabaseStep::Restore {
            from,
            source,
            copy,
            settings,
            ..
        } => format!(
            "restore {} of {source} as {copy} ({}, {})",
            restore_from(from),
            settings.class,
            settings.subnet_group.as_deref().unwrap_or("no subnet group")
        ),
        DatabaseStep::Examine { source, copy } => format!("look into {copy} and compare it with {source}"),
        DatabaseStep::Migrate { copy } => format!("run the pending migrations on {copy}"),
        DatabaseStep::DeleteInstance { instance } => format!("delete {instance}"),
    }
}

fn restore_from(from: &RestoreFrom) -> String {
    match from {
        RestoreFrom::Snapshot { snapshot, .. } => format!("snapshot {snapshot}"),
        RestoreFrom::Time { at } => moment(*at),
        RestoreFrom::Latest { seen } => format!("the latest moment ({})", moment(*seen)),
    }
}

/// `2026-03-01 02:55:00`, in UTC.
pub(super) fn moment(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    format!("{} {:02}:{:02}:{:02}", at.date(), at.hour(), at.minute(), at.second())
}

pub(super) fn plan(environment: &Environment, plan: &DatabasePlan) -> String {
    let name = style(&environment.name).bold();
    let title = match plan.command {
        DatabaseCommand::Backup => format!("Back up {} of {name}", plan.instance),
        DatabaseCommand::Prune => format!("Prune the backups of {} of {name}", plan.instance),
        DatabaseCommand::Restore => format!("Restore {} of {name} beside itself", plan.instance),
        DatabaseCommand::Drill => format!("Drill: restore {} of {name}, look, delete the copy", plan.instance),
        DatabaseCommand::Rehearse => {
            format!(
                "Rehearse migrations on a copy of {} of {name}, delete the copy",
                plan.instance
            )
        }
    };
    let mut text = title;
    for DatabaseWarning::NearQuota { snapshots, quota } in &plan.warnings {
        let _infallible = write!(
            text,
            "\n  {} {snapshots} of {quota} manual snapshots are used; `backup {} prune` makes room",
            style("warning:").yellow().bold(),
            environment.name
        );
    }
    if plan.steps.is_empty() {
        text.push_str("\n  nothing to do");
    }
    for (index, planned) in plan.steps.iter().enumerate() {
        let _infallible = write!(text, "\n  {}. {}", index + 1, step(planned));
    }
    text
}

/// What RDS is busy with: `snapshot x is creating, 40 %`.
pub(in super::super) fn working(what: &str, status: &str, percent: Option<u8>) -> String {
    let percent = percent.map_or_else(String::new, |percent| format!(", {percent} %"));
    format!("{what} is {status}{percent}")
}

/// Facts that read the same in a log and above a progress bar.
pub(in super::super) fn facts(event: &DatabaseEvent) -> Vec<String> {
    match event {
        DatabaseEvent::Found { finding: found } => vec![finding(found)],
        DatabaseEvent::Retrying { what } => vec![format!("{what}; trying again")],
        DatabaseEvent::CleaningUp { copy } => vec![format!("deleting {copy}, which was made for this run")],
        DatabaseEvent::RecordLost { reason } => vec![format!("the record of the drill could not be kept: {reason}")],
        DatabaseEvent::StepStarted { .. }
        | DatabaseEvent::Working { .. }
        | DatabaseEvent::Task(_)
        | DatabaseEvent::StepFinished { .. } => Vec::new(),
    }
}

/// What a look found, with its verdict in front.
pub(in super::super) fn finding(finding: &ExaminationFinding) -> String {
    use tt_plan::database::Verdict;
    let verdict = match finding.verdict() {
        Verdict::Passed => style("ok ").green(),
        Verdict::Failed => style("NO ").red().bold(),
        Verdict::NotDone => style("-  ").dim(),
    };
    format!("{verdict} {:<11} {}", finding.name(), found(finding))
}

fn found(finding: &ExaminationFinding) -> String {
    match finding {
        ExaminationFinding::Migrations { applied: 0, .. } => "none is applied".to_owned(),
        ExaminationFinding::Migrations { applied, unknown } if unknown.is_empty() => {
            format!("{applied} applied, each with a known checksum")
        }
        ExaminationFinding::Migrations { applied, unknown } => {
            format!("{applied} applied, of which nobody knows these by their checksum: {unknown:?}")
        }
        ExaminationFinding::Rows {
            tables,
            rows,
            source_rows,
            missing,
        } => {
            let missing = if missing.is_empty() {
                String::new()
            } else {
                format!("; missing: {}", missing.join(", "))
            };
            format!("{rows} rows in {tables} tables (about {source_rows} in the source, by its statistics){missing}")
        }
        ExaminationFinding::Constraints { unvalidated: wrong } if wrong.is_empty() => "all are validated".to_owned(),
        ExaminationFinding::Constraints { unvalidated } => format!("not validated: {}", unvalidated.join(", ")),
        ExaminationFinding::Indexes { invalid: wrong } if wrong.is_empty() => "all are valid".to_owned(),
        ExaminationFinding::Indexes { invalid } => format!("invalid: {}", invalid.join(", ")),
        ExaminationFinding::Pages { found } => match found {
            Amcheck::Sound { tables, indexes } => {
                format!("amcheck read {tables} tables and {indexes} indexes and found nothing")
            }
            Amcheck::Damaged { findings } => format!("amcheck found: {}", findings.join("; ")),
            Amcheck::NotDone { reason } => format!("not checked: {reason}"),
        },
    }
}

pub(super) fn outcome(environment: &Environment, plan: &DatabasePlan, outcome: &DatabaseOutcome) -> String {
    let (done, name) = (style("done:").green().bold(), &environment.name);
    match outcome {
        DatabaseOutcome::Done => match plan.command {
            DatabaseCommand::Backup => format!("{done} {} of {name} is backed up.", plan.instance),
            DatabaseCommand::Prune | DatabaseCommand::Restore | DatabaseCommand::Drill | DatabaseCommand::Rehearse => {
                format!("{done} {} of {} steps.", plan.steps.len(), plan.steps.len())
            }
        },
        DatabaseOutcome::Restored { instance } => {
            let endpoint = instance
                .endpoint
                .as_ref()
                .map_or_else(String::new, |endpoint| format!(" at {endpoint}"));
            format!(
                "{done} {} stands beside {}{endpoint}; users are where they were.",
                instance.name, plan.instance
            )
        }
        DatabaseOutcome::Drilled { drill } => match &drill.outcome {
            DrillOutcome::Passed => format!("{done} the backup restores, and its data is whole."),
            DrillOutcome::Failed => format!(
                "{} the backup restores, and what came of it is not whole.",
                style("failed:").red().bold()
            ),
            DrillOutcome::NotFinished { reason } => format!("{} {reason}", style("failed:").red().bold()),
        },
        DatabaseOutcome::Rehearsed { migrations } if migrations.exit_code == 0 => {
            format!("{done} the migrations ran on a copy; the copy is gone.")
        }
        DatabaseOutcome::Rehearsed { migrations } => format!(
            "{} the migrations ended on the copy with exit code {} ({}); the copy is gone.",
            style("failed:").red().bold(),
            migrations.exit_code,
            migrations.reason
        ),
    }
}

pub(super) fn next(halt: &DatabaseHalt) -> Vec<String> {
    match halt {
        DatabaseHalt::Port(error) => error.hint.iter().cloned().collect(),
        DatabaseHalt::Broken { .. } | DatabaseHalt::Gone { .. } => {
            vec!["RDS's events of it say why: look there, then run it again".to_owned()]
        }
        DatabaseHalt::Moved { .. } => vec!["run it again: it plans with what is there now".to_owned()],
        DatabaseHalt::NotOurs { .. } => vec!["somebody else made it: delete it by hand if it is to go".to_owned()],
        DatabaseHalt::TimedOut { .. } | DatabaseHalt::Interrupted => {
            vec!["RDS goes on by itself; `backup ENV list` shows where it is".to_owned()]
        }
    }
}

pub(super) fn left(halted: &DatabaseHalted) -> String {
    halted.left.as_ref().map_or_else(
        || "nothing; users are where they were".to_owned(),
        |left| format!("database instance {left}, which costs money until it is deleted; users are where they were"),
    )
}

pub(super) fn migration(environment: &Environment, plan: &MigrationPlan) -> String {
    let what = match &plan.order {
        MigrationOrder::Status => "Migrations".to_owned(),
        MigrationOrder::Check => "Check for pending migrations".to_owned(),
        MigrationOrder::Plan { .. } => "What the pending migrations would lock".to_owned(),
        MigrationOrder::Up { phase: None } => "Run the pending expand and backfill migrations".to_owned(),
        MigrationOrder::Up { phase: Some(phase) } => format!("Run the pending {} migrations", phase.name()),
        MigrationOrder::Resume => "Go on with a run of migrations that was cut short".to_owned(),
        MigrationOrder::PlanDown { to } => {
            format!("What taking back every migration above {to:04} would undo and lose")
        }
        MigrationOrder::Down { to, .. } => format!("Take back every migration above {to:04}"),
    };
    let name = style(&environment.name).bold();
    let release = style(&plan.release).bold();
    match &plan.source {
        MigrationSource::Live => format!(
            "{what}: release {release} of {name}, by the live release's image ({})",
            plan.live.short()
        ),
        MigrationSource::Image(given) => format!("{what}: release {release} of {name}, by {}", given.image),
        MigrationSource::Files(files) => {
            format!("{what}: {name}, straight from here, with the files in {}", files.folder)
        }
    }
}

pub(super) fn migrated(environment: &Environment, plan: &MigrationPlan, migrated: &Migrated) -> String {
    let done = style("done:").green().bold();
    if plan.order.changes() {
        return format!("{done} the schema of {} is where it should be.", environment.name);
    }
    let lines = migrated.ended.lines.len();
    format!("{done} nothing was changed ({lines} lines above).")
}

pub(super) fn not_migrated(migrated: &Migrated, exit: Exit) -> String {
    if exit == Exit::Differs {
        return "migrations are pending".to_owned();
    }
    let ended = &migrated.ended;
    format!(
        "the migrations ended with exit code {} ({})",
        ended.exit_code, ended.reason
    )
}

/// What to do after an exit code of migrations.
pub(super) fn next_of(exit: Exit, environment: &Environment, order: &MigrationOrder) -> Vec<String> {
    let name = &environment.name;
    let next = match exit {
        Exit::Drift if *order == MigrationOrder::Status => {
            "restore the files from the release that was applied; a change goes into a new file with the next number"
                .to_owned()
        }
        Exit::Partial => format!("`tt-ops db-migrate {name} --resume` goes on where it stopped"),
        Exit::Lock => {
            "a long transaction holds a table: the lines above name it; run it again when it is gone".to_owned()
        }
        Exit::Busy => format!("another run is at work: see `tt-ops status {name}`, then run it again"),
        Exit::Drift => format!("`tt-ops db-status {name}` compares what is applied with the release's files"),
        Exit::Differs => format!("run `tt-ops db-migrate {name}`, or deploy the release"),
        Exit::RolledBack => "the failed migration left nothing behind: mend it and run it again".to_owned(),
        Exit::Done
        | Exit::Failed
        | Exit::Usage
        | Exit::Refused
        | Exit::Backup
        | Exit::TimedOut
        | Exit::Paused
        | Exit::Internal => "the lines above say why".to_owned(),
    };
    vec![next]
}

/// What a drill measured, as the two figures that people know.
pub(super) fn figures(drill: &DrillRecord) -> [(&'static str, String); 3] {
    let after =
        |millis: Option<u64>| millis.map_or_else(|| "never".to_owned(), |millis| span(Duration::from_millis(millis)));
    [
        ("data lost (RPO)", span(Duration::from_millis(drill.data_age_millis))),
        ("available after", after(drill.available_after_millis)),
        ("verified after (RTO)", after(drill.verified_after_millis)),
    ]
}

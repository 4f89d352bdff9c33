//! Tables that fit 80 columns.

use console::style;
use tt_environment::{Environment, Minutes, Strategy};
use tt_plan::{Command, LifecycleStage, LiveRollout, Observed, Outcome, Record};

use super::words;

/// A checked thing.
#[derive(Debug)]
pub(crate) struct Line {
    pub(super) name: &'static str,
    pub(super) judgement: Judgement,
}

#[derive(Debug)]
pub(super) enum Judgement {
    Good { found: String },
    Bad { wrong: String, hint: String },
}

impl Line {
    pub(crate) fn good(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            judgement: Judgement::Good { found: found.into() },
        }
    }

    pub(crate) fn bad(name: &'static str, wrong: impl Into<String>, hint: String) -> Self {
        Self {
            name,
            judgement: Judgement::Bad {
                wrong: wrong.into(),
                hint,
            },
        }
    }

    pub(crate) fn is_bad(&self) -> bool {
        matches!(self.judgement, Judgement::Bad { .. })
    }
}

pub(super) fn verified(environment: &Environment, observed: &Observed, lines: &[Line]) -> String {
    let mut text = vec![format!(
        "{}  as {}",
        style(&environment.name).bold(),
        observed.caller.arn
    )];
    for line in lines {
        match &line.judgement {
            Judgement::Good { found } => text.push(format!("  {} {:<11} {found}", style("ok ").green(), line.name)),
            Judgement::Bad { wrong, hint } => {
                text.push(format!("  {} {:<11} {wrong}", style("NO ").red().bold(), line.name));
                text.push(format!("      {:<11} {}", "", style(hint).dim()));
            }
        }
    }
    text.join("\n")
}

/// One setting that a deploy would change.
#[derive(Debug)]
pub(crate) struct Change {
    pub(super) what: &'static str,
    pub(super) now: String,
    pub(super) then: String,
}

impl Change {
    pub(crate) fn new(what: &'static str, now: &str, then: &str) -> Self {
        Self {
            what,
            now: now.to_owned(),
            then: then.to_owned(),
        }
    }

    pub(crate) fn of_rollout(
        live: &LiveRollout,
        strategy: Strategy,
        bake: Minutes,
        pauses: &[LifecycleStage],
    ) -> Vec<Self> {
        let stages = |stages: &[LifecycleStage]| {
            stages
                .iter()
                .map(|stage| stage.ecs_name())
                .collect::<Vec<_>>()
                .join(", ")
        };
        vec![
            Self::new("strategy", &words::live_rollout(live), &words::strategy(strategy)),
            Self::new("bake", &live.bake.to_string(), &bake.to_string()),
            Self::new("pauses", &stages(&live.pauses), &stages(pauses)),
        ]
    }

    pub(crate) fn is_real(&self) -> bool {
        self.now != self.then
    }
}

pub(super) fn diff(environment: &Environment, changes: &[Change]) -> String {
    if changes.is_empty() {
        return format!("{}: nothing would change.", environment.name);
    }
    let mut text = vec![format!("{}/{}", environment.service.cluster, environment.service.name)];
    for change in changes {
        text.push(format!("  {}", style(change.what).bold()));
        text.push(format!("    {}", style(format!("- {}", change.now)).red()));
        text.push(format!("    {}", style(format!("+ {}", change.then)).green()));
    }
    text.join("\n")
}

pub(super) fn history(environment: &Environment, records: &[Record]) -> String {
    if records.is_empty() {
        return format!("{}: no deploy is on record.", environment.name);
    }
    let mut text = vec![format!(
        "{:<20} {:<11} {:<14} {:<8} {}",
        "when (UTC)", "command", "release", "took", "outcome"
    )];
    for record in records {
        let started = record.started_at.to_offset(time::UtcOffset::UTC);
        let when = format!(
            "{} {:02}:{:02}:{:02}",
            started.date(),
            started.hour(),
            started.minute(),
            started.second()
        );
        let took = record
            .ended_at
            .map_or_else(|| "-".to_owned(), |ended| words::age(record.started_at, ended));
        text.push(format!(
            "{when:<20} {:<11} {:<14} {took:<8} {}",
            command(record.command),
            record.release,
            outcome(&record.outcome)
        ));
        text.push(format!("{:<20} {}", "", style(format!("by {}", record.who.name)).dim()));
    }
    text.join("\n")
}

pub(super) fn command(command: Command) -> &'static str {
    match command {
        Command::Deploy => "deploy",
        Command::Rollback => "rollback",
        Command::DbMigrate => "db-migrate",
        Command::DbRollback => "db-rollback",
        Command::Rehearse => "rehearse",
    }
}

pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Running => "running, or its process died".to_owned(),
        Outcome::Shifted => "shifted; ECS baked on".to_owned(),
        Outcome::Done => "done".to_owned(),
        Outcome::RolledBack { reason } => format!("rolled back: {reason}"),
        Outcome::Failed { reason } => format!("failed: {reason}"),
        Outcome::Interrupted { reason } => format!("stopped half-way: {reason}"),
        Outcome::Paused { reason } => format!("paused: {reason}"),
    }
}

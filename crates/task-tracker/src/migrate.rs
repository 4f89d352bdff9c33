//! `task-tracker migrate`: this release's migrations on the database of `DATABASE_URL`.
//!
//! The engine is `tt-migrate`; this file gives it the files and the address, and its events words or JSON. Never runs at
//! boot.

use std::{
    io::{self, Write},
    time::Duration,
};

use clap::{Args, ValueEnum};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tt_migrate::{Accepted, Down, Event, Exit, Failure, Job, Limits, Migrations, Phase, Resume, Up, Version};

use crate::{
    config::{DatabaseUrl, seconds},
    schema,
};

/// What to do with the schema, and how to report it.
#[derive(Debug, Args)]
#[command(after_help = tt_migrate::TABLE)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// Say what would be done, statement by statement, and change nothing
    #[arg(long, group = "what")]
    plan: bool,

    /// Change nothing and exit with 3 when migrations are pending
    #[arg(long, group = "what")]
    check: bool,

    /// Say what is applied and pending, and which schemas this release works on
    #[arg(long, group = "what")]
    status: bool,

    /// Undo everything above this version; with `--plan`, say what that would undo and lose
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["check", "status"])]
    to: Option<Version>,

    /// A loss that was looked at, such as `tasks.priority:120`; may be given more than once
    #[arg(long, value_name = "TABLE.COLUMN:COUNT", requires = "to")]
    accept_data_loss: Vec<Accepted>,

    /// Phases to run: expand, backfill, contract
    #[arg(long, value_name = "PHASE", value_delimiter = ',', default_values_t = Phase::BEFORE_A_RELEASE, conflicts_with_all = ["to", "status"])]
    phase: Vec<Phase>,

    /// Take up a step that a killed run left half done
    #[arg(long)]
    resume: bool,

    /// How to report: words, or one JSON object a line
    #[arg(long, default_value = "human")]
    output: Output,

    /// How long to wait for another run of this command
    #[arg(long = "wait-seconds", env = "MIGRATE_WAIT_SECONDS", value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    wait: Duration,

    /// How long to try for a lock, the waits before each try included
    #[arg(long = "lock-seconds", env = "MIGRATE_LOCK_SECONDS", value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    lock: Duration,

    /// How long a statement may keep users of a table waiting
    #[arg(long = "blocking-seconds", env = "MIGRATE_BLOCKING_SECONDS", value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    blocking: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Sentences
    Human,
    /// One object a line; its fields are in docs/database.md
    Json,
}

/// Does it, and says how it went.
pub(crate) async fn run(options: &Options, url: &DatabaseUrl) -> Exit {
    let output = options.output;
    match carry_out(options, url, &mut |event| say(output, &event)).await {
        Ok(exit) => exit,
        Err(failure) => {
            complain(output, &failure);
            failure.exit()
        }
    }
}

async fn carry_out(
    options: &Options,
    url: &DatabaseUrl,
    emit: &mut (dyn FnMut(Event) + Send),
) -> Result<Exit, Failure> {
    let migrations = schema::migrations()?;
    let target = url.options().map_err(|_| Failure::Url)?;
    let limits = options.limits();
    let job = Job {
        target: &target,
        migrations: &migrations,
        limits: &limits,
    };
    if options.status {
        let status = tt_migrate::status(job).await?;
        emit(Event::Status(status.clone()));
        return Ok(status.exit());
    }
    if let (true, Some(to)) = (options.plan, options.to) {
        emit(Event::Undoing(tt_migrate::plan_down(job, to).await?));
        return Ok(Exit::Done);
    }
    if options.plan || options.check {
        let plan = tt_migrate::plan(job, &options.phase).await?;
        let pending = !plan.steps.is_empty();
        emit(Event::Plan(plan));
        return Ok(if options.check && pending {
            Exit::Pending
        } else {
            Exit::Done
        });
    }
    let resume = if options.resume { Resume::Yes } else { Resume::No };
    if let Some(to) = options.to {
        let accept = options.accept_data_loss.clone();
        tt_migrate::down(job, &Down { to, accept, resume }, emit).await?;
    } else {
        let phases = options.phase.clone();
        tt_migrate::up(job, &Up { phases, resume }, emit).await?;
    }
    // A program that brings releases into use remembers which schemas this one works on; people ask with `--status`.
    if options.output == Output::Json
        && let Ok(status) = tt_migrate::status(job).await
    {
        emit(Event::Status(status));
    }
    Ok(Exit::Done)
}

impl Options {
    fn limits(&self) -> Limits {
        Limits {
            turn: self.wait,
            patience: self.lock,
            blocking: self.blocking,
            ..Limits::default()
        }
    }
}

/// Applies what this release needs, and waits at most so long for another runner.
pub async fn to_latest(url: &DatabaseUrl, wait: Duration) -> Result<(), Failure> {
    let migrations: Migrations = schema::migrations()?;
    let target = url.options().map_err(|_| Failure::Url)?;
    let limits = Limits {
        turn: wait,
        ..Limits::default()
    };
    let job = Job {
        target: &target,
        migrations: &migrations,
        limits: &limits,
    };
    let request = Up {
        phases: Phase::BEFORE_A_RELEASE.to_vec(),
        resume: Resume::No,
    };
    tt_migrate::up(job, &request, &mut |_| {}).await
}

#[derive(Serialize)]
struct Line<'e> {
    v: u32,
    at: String,
    #[serde(flatten)]
    event: &'e Event,
}

/// Nothing is left to tell it to when the output is gone: the run goes on.
fn say(output: Output, event: &Event) {
    let mut out = io::stdout().lock();
    drop(match output {
        // The end of a step says all that its beginning does.
        Output::Human if matches!(event, Event::Started { .. }) => Ok(()),
        Output::Human => writeln!(out, "{event}"),
        Output::Json => match serde_json::to_string(&line(event)) {
            Ok(text) => writeln!(out, "{text}"),
            Err(error) => Err(io::Error::other(error)),
        },
    });
}

fn line(event: &Event) -> Line<'_> {
    Line {
        v: tt_migrate::CONTRACT,
        at: OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default(),
        event,
    }
}

fn complain(output: Output, failure: &Failure) {
    let event = failure.event();
    match output {
        Output::Human => drop(writeln!(io::stderr(), "task-tracker: {event}")),
        Output::Json => say(output, &event),
    }
}

//! The only place that writes words: for a terminal, for a log, for GitLab, or as JSON lines.

mod database;
mod exports;
mod json;
mod lines;
mod progress;
mod tables;
mod words;

use std::{
    io::{BufRead, IsTerminal, Write},
    sync::Mutex,
};

use console::style;
use tt_environment::Environment;
use tt_execute::{Event, Halted, Progress};
use tt_plan::{Observed, Outcome, Plan, Record, RollbackPlan};

pub(crate) use self::{
    exports::Moving,
    tables::{Change, Line},
};
use self::{lines::Lines, progress::Bars};
use crate::{
    cli::{Global, Output},
    exit::Exit,
    failure::Failure,
};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loudness {
    /// Only how it ended.
    Quiet,
    /// Steps and what they found.
    Usual,
    /// Every measurement.
    Verbose,
}

/// Where reports go.
#[derive(Debug)]
pub(crate) struct Reporter {
    loudness: Loudness,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    /// A terminal that can redraw.
    Bars(Mutex<Bars>),
    /// A log: one line a fact, with GitLab's section marks where it runs there.
    Lines(Mutex<Lines>),
    /// A program.
    Json,
}

impl Reporter {
    pub(crate) fn new(global: &Global) -> Self {
        if global.no_color || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            console::set_colors_enabled(false);
            console::set_colors_enabled_stderr(false);
        }
        let loudness = match (global.quiet, global.verbose) {
            (true, _) => Loudness::Quiet,
            (false, true) => Loudness::Verbose,
            (false, false) => Loudness::Usual,
        };
        let in_gitlab = std::env::var_os("GITLAB_CI").is_some_and(|value| !value.is_empty());
        let sink = match global.output {
            Output::Json => Sink::Json,
            Output::Human if std::io::stdout().is_terminal() && !in_gitlab => Sink::Bars(Mutex::new(Bars::new())),
            Output::Human => Sink::Lines(Mutex::new(Lines::new(in_gitlab))),
        };
        Self { loudness, sink }
    }

    /// One fact of a run.
    pub(crate) fn event(&self, event: &Event) {
        match &self.sink {
            Sink::Json => json::event(event),
            Sink::Bars(_) | Sink::Lines(_) if self.loudness == Loudness::Quiet => {}
            Sink::Bars(bars) => locked(bars).event(event, self.loudness),
            Sink::Lines(lines) => locked(lines).event(event, self.loudness),
        }
    }

    pub(crate) fn plan(&self, environment: &Environment, plan: &Plan) {
        match &self.sink {
            Sink::Json => json::plan(environment, plan, None),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&words::plan(environment, plan)),
        }
    }

    /// What a rollback trades, before it acts.
    pub(crate) fn trade(&self, environment: &Environment, rollback: &RollbackPlan, observed: &Observed) {
        match &self.sink {
            Sink::Json => json::plan(environment, &rollback.plan, Some(rollback.mode)),
            Sink::Bars(_) | Sink::Lines(_) => self.say(&words::trade(environment, rollback, observed)),
        }
    }

    /// How a run ended; chooses the exit code.
    pub(crate) fn ended(&self, environment: &Environment, plan: &Plan, ended: &Result<Outcome, Halted>) -> Exit {
        let exit = match ended {
            Ok(outcome) => Exit::of_outcome(outcome),
            Err(halted) => Exit::of_halt(halted),
        };
        match &self.sink {
            Sink::Bars(bars) => locked(bars).finish(),
            Sink::Lines(lines) => locked(lines).finish(),
            Sink::Json => {}
        }
        match (&self.sink, ended) {
            (Sink::Json, _) => json::ended(environment, plan, ended, exit),
            (Sink::Bars(_) | Sink::Lines(_), Ok(outcome)) => print_line(&words::outcome(environment, plan, outcome)),
            (Sink::Bars(_) | Sink::Lines(_), Err(halted)) => {
                let said = words::halted(environment, plan, halted);
                complain(&said.what, &[]);
                print_error_line(&format!("{} {}", style("users:").for_stderr().bold(), said.users));
                print_error_line(&format!("{} {}", style(" next:").for_stderr().bold(), said.next));
            }
        }
        exit
    }

    /// Where users are. On a terminal a later look takes the place of the one before.
    pub(crate) fn status(&self, environment: &Environment, observed: &Observed, progress: Option<&Progress>) {
        match &self.sink {
            Sink::Json => json::status(environment, observed, progress),
            Sink::Bars(bars) => locked(bars).page(&words::status(environment, observed, progress)),
            Sink::Lines(_) => print_line(&words::status(environment, observed, progress)),
        }
    }

    pub(crate) fn history(&self, environment: &Environment, records: &[Record]) {
        match &self.sink {
            Sink::Json => json::history(records),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&tables::history(environment, records)),
        }
    }

    pub(crate) fn verified(&self, environment: &Environment, observed: &Observed, lines: &[Line]) {
        match &self.sink {
            Sink::Json => json::verified(environment, lines),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&tables::verified(environment, observed, lines)),
        }
    }

    pub(crate) fn diff(&self, environment: &Environment, changes: &[Change]) {
        match &self.sink {
            Sink::Json => json::diff(environment, changes),
            Sink::Bars(_) | Sink::Lines(_) => print_line(&tables::diff(environment, changes)),
        }
    }

    pub(crate) fn checked(&self, environment: &Environment) {
        match &self.sink {
            Sink::Json => json::checked(environment),
            Sink::Bars(_) | Sink::Lines(_) => {
                self.say(&format!("{} {}", style("ok").green(), environment.file.display()));
            }
        }
    }

    /// What the checks of migrations found.
    pub(crate) fn linted(&self, folder: &std::path::Path, migrations: usize, findings: &[tt_migrate::Finding]) {
        match &self.sink {
            Sink::Json => json::linted(folder, migrations, findings),
            Sink::Bars(_) | Sink::Lines(_) => {
                for finding in findings {
                    let help = finding
                        .help
                        .as_ref()
                        .map_or_else(String::new, |help| format!("\n  {help}"));
                    print_line(&format!("{} {finding}{help}", style("refused").red()));
                }
                self.say(&match findings.len() {
                    0 => format!(
                        "{} {migrations} migrations in {}",
                        style("ok").green(),
                        folder.display()
                    ),
                    count => format!("{count} findings in {migrations} migrations in {}", folder.display()),
                });
            }
        }
    }

    /// Text that is the result itself.
    pub(crate) fn text(text: &str) {
        print_line(text);
    }

    /// A remark that `--quiet` leaves out.
    pub(crate) fn say(&self, text: &str) {
        match (&self.sink, self.loudness) {
            (Sink::Json, _) | (_, Loudness::Quiet) => {}
            (Sink::Bars(_) | Sink::Lines(_), Loudness::Usual | Loudness::Verbose) => print_line(text),
        }
    }

    pub(crate) fn failure(&self, failure: &Failure) {
        match &self.sink {
            Sink::Json => json::failure(failure),
            Sink::Bars(_) | Sink::Lines(_) => complain(&failure.what, &failure.hints),
        }
    }

    /// Asks on a terminal; anywhere else nobody could answer, so nobody is asked.
    pub(crate) fn confirm(&self, question: &str) -> bool {
        let person = matches!(self.sink, Sink::Bars(_)) && std::io::stdin().is_terminal();
        if !person {
            return true;
        }
        let mut out = std::io::stdout().lock();
        let asked = write!(out, "{question} [y/N] ").and_then(|()| out.flush());
        drop(out);
        let mut answer = String::new();
        asked.is_ok()
            && std::io::stdin().lock().read_line(&mut answer).is_ok()
            && matches!(answer.trim(), "y" | "Y" | "yes")
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn complain(what: &[String], hints: &[String]) {
    for line in what {
        print_error_line(&format!("{} {line}", style("error:").for_stderr().red().bold()));
    }
    for hint in hints {
        print_error_line(&format!("{} {hint}", style(" hint:").for_stderr().cyan().bold()));
    }
}

/// A closed pipe (`| head`) is the reader's choice, not a failure.
fn print_line(text: &str) {
    let _closed = writeln!(std::io::stdout().lock(), "{text}");
}

fn print_error_line(text: &str) {
    let _closed = writeln!(std::io::stderr().lock(), "{text}");
}

//! A log: one line a fact, in the order in which it became true. In GitLab each step is a section that can be folded.

use std::{
    io::Write,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tt_execute::{Event, database::DatabaseEvent};

use super::{Loudness, database, print_line, words};

/// Waiting is said again after so long, so that a log shows that the job is alive and does not drown in it.
const AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Lines {
    sections: Sections,
    waited: Duration,
    measured: Option<String>,
}

#[derive(Debug)]
enum Sections {
    None,
    GitLab { open: Option<String> },
}

impl Lines {
    pub(super) fn new(in_gitlab: bool) -> Self {
        let sections = if in_gitlab {
            Sections::GitLab { open: None }
        } else {
            Sections::None
        };
        Self {
            sections,
            waited: Duration::ZERO,
            measured: None,
        }
    }

    pub(super) fn event(&mut self, event: &Event, loudness: Loudness) {
        match event {
            Event::StepStarted { number, of, step } => self.begin(*number, *of, step.name(), &words::step(step)),
            Event::StepFinished { number, of, step, took } => self.end(*number, *of, step.name(), *took),
            Event::Waiting {
                holdup,
                waited,
                at_most,
            } => self.wait(&words::holdup(holdup), *waited, *at_most),
            Event::Measured { sample, verdict } => {
                // The same kind of verdict again is news only to the curious.
                let kind = format!("{:?}", std::mem::discriminant(verdict));
                if loudness == Loudness::Verbose || self.measured.as_ref() != Some(&kind) {
                    print_line(&format!("      {}", words::measured(sample, verdict)));
                }
                self.measured = Some(kind);
            }
            Event::Locked { .. }
            | Event::Traffic { .. }
            | Event::Targets { .. }
            | Event::Stage { .. }
            | Event::Smoke { .. }
            | Event::TaskOutput { .. }
            | Event::Retrying { .. }
            | Event::RollingBack { .. }
            | Event::Evidence { .. }
            | Event::RecordLost { .. } => {
                for line in facts(event) {
                    print_line(&format!("      {line}"));
                }
            }
        }
    }

    /// One fact of a run about backups.
    pub(super) fn database(&mut self, event: &DatabaseEvent, loudness: Loudness) {
        match event {
            DatabaseEvent::StepStarted { number, of, step } => {
                self.begin(*number, *of, step.name(), &database::step(step));
            }
            DatabaseEvent::StepFinished { number, of, step, took } => self.end(*number, *of, step.name(), *took),
            DatabaseEvent::Working {
                what,
                status,
                percent,
                waited,
                at_most,
            } => self.wait(&database::working(what, status, *percent), *waited, *at_most),
            DatabaseEvent::Task(event) => self.event(event, loudness),
            DatabaseEvent::Found { .. }
            | DatabaseEvent::Retrying { .. }
            | DatabaseEvent::CleaningUp { .. }
            | DatabaseEvent::RecordLost { .. } => {
                for line in database::facts(event) {
                    print_line(&format!("      {line}"));
                }
            }
        }
    }

    pub(super) fn finish(&mut self) {
        self.close();
    }

    fn begin(&mut self, number: usize, of: usize, name: &str, words: &str) {
        self.waited = Duration::ZERO;
        self.measured = None;
        self.open(
            &format!("step_{number}_{}", name.replace('-', "_")),
            &format!("[{number}/{of}] {words}"),
        );
    }

    fn end(&mut self, number: usize, of: usize, name: &str, took: Duration) {
        print_line(&format!("[{number}/{of}] {name}: done in {}", words::span(took)));
        self.close();
    }

    fn wait(&mut self, what: &str, waited: Duration, at_most: Duration) {
        if waited >= self.waited + AGAIN {
            self.waited = waited;
            print_line(&format!(
                "      {what} for {}, at most {}",
                words::span(waited),
                words::span(at_most)
            ));
        }
    }

    fn open(&mut self, name: &str, title: &str) {
        if let Sections::GitLab { open } = &mut self.sections {
            mark(&format!("section_start:{}:{name}", unix_seconds()), title);
            *open = Some(name.to_owned());
        } else {
            print_line(title);
        }
    }

    fn close(&mut self) {
        if let Sections::GitLab { open } = &mut self.sections
            && let Some(name) = open.take()
        {
            mark(&format!("section_end:{}:{name}", unix_seconds()), "");
        }
    }
}

/// Facts that read the same in a log and above a progress bar.
pub(super) fn facts(event: &Event) -> Vec<String> {
    match event {
        Event::Locked {
            taken_from: Some(holder),
            ..
        } => vec![format!("the deploy lock was taken over from {}", holder.name)],
        Event::Stage { stage } => vec![format!("ECS: {}", stage.ecs_name())],
        Event::Traffic { share } => vec![format!("production traffic on the new tasks: {share}")],
        Event::Targets { group } => vec![format!("new targets healthy: {} of {}", group.healthy, group.total)],
        Event::Smoke {
            url,
            result: Ok(status),
            expected,
            attempt,
        } => {
            vec![if status == expected {
                format!("GET {url}: {status}")
            } else {
                format!("GET {url}: {status}, expected {expected} (try {attempt})")
            }]
        }
        Event::Smoke {
            result: Err(reason),
            attempt,
            ..
        } => vec![format!("{reason} (try {attempt})")],
        Event::TaskOutput { lines } => lines.iter().flat_map(|line| spoken(line)).collect(),
        Event::Retrying { what } => vec![format!("{what}; trying again")],
        Event::RollingBack { reason } => vec![format!("rolling back: {reason}")],
        Event::Evidence { evidence } => words::evidence(evidence),
        Event::RecordLost { reason } => vec![format!("the deploy record could not be kept: {reason}")],
        Event::Locked { taken_from: None, .. }
        | Event::StepStarted { .. }
        | Event::StepFinished { .. }
        | Event::Waiting { .. }
        | Event::Measured { .. } => Vec::new(),
    }
}

/// What a task printed, for people: a fact of a migration in its own words, anything else as it is.
fn spoken(line: &str) -> Vec<String> {
    let words =
        serde_json::from_str::<tt_migrate::Event>(line).map_or_else(|_| line.to_owned(), |event| event.to_string());
    words.lines().map(|line| format!("| {line}")).collect()
}

/// GitLab reads a mark followed by a carriage return and "erase line" (GitLab documentation, "Custom collapsible sections").
fn mark(section: &str, title: &str) {
    let _closed = writeln!(std::io::stdout().lock(), "\x1b[0K{section}\r\x1b[0K{title}");
}

fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

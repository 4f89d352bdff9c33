//! A terminal: one line a step, a bar for traffic, and what it waits for and for how long at most.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tt_execute::{Event, database::DatabaseEvent};
use tt_plan::Share;

use super::{Loudness, database, lines::facts, words};

#[derive(Debug)]
pub(super) struct Bars {
    all: MultiProgress,
    step: Option<ProgressBar>,
    detail: Option<ProgressBar>,
    traffic: Option<ProgressBar>,
    title: String,
    targets: String,
    measured: String,
    /// Lines of the page that is shown.
    page: usize,
}

impl Bars {
    pub(super) fn new() -> Self {
        let (title, targets, measured) = Default::default();
        Self {
            all: MultiProgress::new(),
            step: None,
            detail: None,
            traffic: None,
            title,
            targets,
            measured,
            page: 0,
        }
    }

    pub(super) fn event(&mut self, event: &Event, loudness: Loudness) {
        match event {
            Event::StepStarted { number, of, step } => self.begin(format!("{number}/{of} {}", words::step(step))),
            Event::StepFinished { took, .. } => self.end(*took),
            Event::Waiting {
                holdup,
                waited,
                at_most,
            } => {
                let found = if self.measured.is_empty() {
                    words::holdup(holdup)
                } else {
                    self.measured.clone()
                };
                let limit = format!("{} of at most {}", words::span(*waited), words::span(*at_most));
                self.detail().set_message(format!("{found}, {limit}"));
            }
            Event::Traffic { share } => {
                let message = self.targets.clone();
                let bar = self.bar();
                bar.set_position(tenths(*share));
                bar.set_message(message);
            }
            Event::Targets { group } => {
                self.targets = format!("{} of {} new targets healthy", group.healthy, group.total);
                let message = self.targets.clone();
                self.bar().set_message(message);
            }
            Event::Measured { sample, verdict } => {
                self.measured = words::measured(sample, verdict);
                if loudness == Loudness::Verbose {
                    self.say(&format!("      {}", words::measured(sample, verdict)));
                }
            }
            // The step's own line says the stage; the scroll-back need not.
            Event::Stage { .. } if loudness < Loudness::Verbose => {}
            Event::Locked { .. }
            | Event::Stage { .. }
            | Event::Smoke { .. }
            | Event::TaskOutput { .. }
            | Event::Retrying { .. }
            | Event::RollingBack { .. }
            | Event::Evidence { .. }
            | Event::RecordLost { .. } => {
                for line in facts(event) {
                    self.say(&format!("      {line}"));
                }
            }
        }
    }

    /// One fact of a run about backups.
    pub(super) fn database(&mut self, event: &DatabaseEvent, loudness: Loudness) {
        match event {
            DatabaseEvent::StepStarted { number, of, step } => {
                self.begin(format!("{number}/{of} {}", database::step(step)));
            }
            DatabaseEvent::StepFinished { took, .. } => self.end(*took),
            DatabaseEvent::Working {
                what,
                status,
                percent,
                waited,
                at_most,
            } => {
                let working = database::working(what, status, *percent);
                let limit = format!("{} of at most {}", words::span(*waited), words::span(*at_most));
                self.detail().set_message(format!("{working}, {limit}"));
            }
            DatabaseEvent::Task(event) => self.event(event, loudness),
            DatabaseEvent::Found { .. }
            | DatabaseEvent::Retrying { .. }
            | DatabaseEvent::CleaningUp { .. }
            | DatabaseEvent::RecordLost { .. } => {
                for line in database::facts(event) {
                    self.say(&format!("      {line}"));
                }
            }
        }
    }

    pub(super) fn finish(&mut self) {
        self.end_detail();
        if let Some(bar) = self.step.take() {
            bar.finish_and_clear();
            self.say(&format!("  ✗ {}", self.title));
        }
        if let Some(bar) = self.traffic.take() {
            bar.finish_and_clear();
        }
    }

    /// How far the step is, below it.
    pub(super) fn far(&mut self, far: String) {
        self.detail().set_message(far);
    }

    pub(super) fn begin(&mut self, title: String) {
        self.title.clone_from(&title);
        self.measured.clear();
        self.spinner().set_message(title);
    }

    pub(super) fn end(&mut self, took: Duration) {
        self.end_detail();
        if let Some(bar) = self.step.take() {
            let done = format!("  ✓ {}  {}", self.title, console::style(words::span(took)).dim());
            bar.finish_and_clear();
            self.say(&done);
        }
    }

    /// Shows a text of several lines in place of the last one.
    pub(super) fn page(&mut self, text: &str) {
        let terminal = console::Term::stdout();
        let width = usize::from(terminal.size().1).max(1);
        let rows = |line: &str| console::measure_text_width(line).max(1).div_ceil(width);
        let _not_redrawn = terminal.clear_last_lines(self.page);
        super::print_line(text);
        self.page = text.lines().map(rows).sum();
    }

    fn spinner(&mut self) -> &ProgressBar {
        let all = &self.all;
        self.step.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("  {spinner} {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = all.insert(0, ProgressBar::new_spinner().with_style(style));
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        })
    }

    /// What the step waits for, on a line of its own below it.
    fn detail(&mut self) -> &ProgressBar {
        let all = &self.all;
        self.detail.get_or_insert_with(|| {
            let style =
                ProgressStyle::with_template("      {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
            all.insert(1, ProgressBar::new_spinner().with_style(style))
        })
    }

    fn end_detail(&mut self) {
        if let Some(detail) = self.detail.take() {
            detail.finish_and_clear();
        }
    }

    fn bar(&mut self) -> &ProgressBar {
        let all = &self.all;
        self.traffic.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("    new [{bar:24}] {percent:>3} %  {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            all.add(ProgressBar::new(1000).with_style(style.progress_chars("█▌░")))
        })
    }

    /// A line above the bars that stays; without bars it is an ordinary line.
    fn say(&self, line: &str) {
        if self.all.println(line).is_err() || self.all.is_hidden() {
            super::print_line(line);
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
fn tenths(share: Share) -> u64 {
    (share.percent() * 10.0).round() as u64
}

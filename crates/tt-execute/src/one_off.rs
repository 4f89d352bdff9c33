//! Runs one command as a one-off task to its end, and says what it prints while it does.

use std::time::Duration;

use crate::{
    event::{Event, Holdup},
    ports::{Clock, Cloud, OneOff, OneOffTask, PortError, StoppedTask, TaskArn},
    wait::with_cause,
};

/// How long a task may take, and how often it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    pub(crate) timeout: Duration,
    pub(crate) interval: Duration,
}

/// A task that has come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) how: How,
    /// Everything that it printed, oldest first.
    pub(crate) lines: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    /// Its container ended by itself.
    Exited { code: i32, reason: String },
    /// Between two looks a task can go from PENDING to STOPPED without its container ever having run.
    NeverRan { reason: String },
    /// It was told to stop.
    TookTooLong,
}

/// What the log drivers hold back arrives after the task has ended; so many looks in a row without a line mean that all is there.
const EMPTY_LOOKS: u32 = 2;

/// More than any command of ours prints; what came first goes first.
const KEPT: usize = 20_000;

pub(crate) async fn run_to_end(
    cloud: &impl Cloud,
    clock: &impl Clock,
    task: &OneOffTask,
    patience: Patience,
    emit: &(dyn Fn(Event) + Sync),
) -> Result<Ended, PortError> {
    let arn = cloud.run_task(task).await?;
    let mut output = Output {
        cloud,
        task: &arn,
        wanted: task,
        after: None,
        lines: Vec::new(),
    };
    let began = clock.now();
    loop {
        let waited = Duration::try_from(clock.now() - began).unwrap_or_default();
        output.read(emit).await;
        match cloud.one_off(&arn, &task.container).await {
            Ok(OneOff::Stopped(stopped)) => {
                output.read_rest(clock, patience.interval, emit).await;
                return Ok(ended(stopped, output.lines, emit));
            }
            Ok(OneOff::Running { status }) => emit(Event::Waiting {
                holdup: Holdup::Task { status },
                waited,
                at_most: patience.timeout,
            }),
            Err(error) if error.kind.passes() => emit(Event::Retrying {
                what: with_cause(&error),
            }),
            Err(error) => return Err(error),
        }
        if waited >= patience.timeout {
            cloud
                .stop_task(&arn, "tt-ops: it took longer than the environment allows")
                .await?;
            return Ok(Ended {
                how: How::TookTooLong,
                lines: output.lines,
            });
        }
        clock.sleep(patience.interval).await;
    }
}

fn ended(stopped: StoppedTask, mut lines: Vec<String>, emit: &(dyn Fn(Event) + Sync)) -> Ended {
    if lines.is_empty() && !stopped.last_lines.is_empty() {
        emit(Event::TaskOutput {
            lines: stopped.last_lines.clone(),
        });
        lines = stopped.last_lines;
    }
    let reason = stopped.reason;
    let how = match stopped.exit_code {
        Some(code) => How::Exited { code, reason },
        None => How::NeverRan { reason },
    };
    Ended { how, lines }
}

/// What a task has printed, and where to read on.
struct Output<'a, W> {
    cloud: &'a W,
    task: &'a TaskArn,
    wanted: &'a OneOffTask,
    after: Option<String>,
    lines: Vec<String>,
}

impl<W: Cloud> Output<'_, W> {
    /// Reads what is new; gives how many lines that was. A log that cannot be read now may be read at the next look.
    async fn read(&mut self, emit: &(dyn Fn(Event) + Sync)) -> usize {
        let mut count = 0;
        loop {
            let Ok(read) = self.cloud.output(self.task, self.wanted, self.after.as_deref()).await else {
                return count;
            };
            let more = read.next.is_some() && read.next != self.after;
            self.after = read.next.or(self.after.take());
            if !read.lines.is_empty() {
                count += read.lines.len();
                self.lines.extend(read.lines.iter().cloned());
                let surplus = self.lines.len().saturating_sub(KEPT);
                self.lines.drain(..surplus);
                emit(Event::TaskOutput { lines: read.lines });
            }
            if !more {
                return count;
            }
        }
    }

    async fn read_rest(&mut self, clock: &impl Clock, interval: Duration, emit: &(dyn Fn(Event) + Sync)) {
        let mut empty = 0;
        while empty < EMPTY_LOOKS {
            if self.read(emit).await == 0 {
                empty += 1;
            } else {
                empty = 0;
            }
            if empty < EMPTY_LOOKS {
                clock.sleep(interval).await;
            }
        }
    }
}

//! One running process as its owner sees it: its end, signals to it, what it uses and what it prints.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use time::OffsetDateTime;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};
use tokio::sync::{mpsc, watch};

use super::engine::Engine;

/// The longest line kept in one piece; a longer one goes on in the next, as with Docker's log drivers.
const LONGEST_LINE: usize = 16 * 1024;

/// A started process, in a container or not. Dropping this leaves it running; its end can then no longer be awaited.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(super) pid: u32,
    pub(super) end: watch::Receiver<Option<Exit>>,
    pub(super) control: Control,
}

/// Through whom signals go.
#[derive(Debug, Clone)]
pub(super) enum Control {
    /// The kernel: it is a child of ours, and leads a process group.
    Own,
    /// The engine that keeps its container.
    Container { engine: Engine, id: String },
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit {
    /// The exit code, or 128 plus the signal that ended it, as container engines report.
    pub(crate) code: i32,
}

/// One line a process printed to either of its outputs, at most 16 KiB.
#[derive(Debug, Clone)]
pub(crate) struct LogLine {
    pub(crate) at: OffsetDateTime,
    pub(crate) text: String,
}

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system time since its start.
    pub(crate) cpu: Duration,
    pub(crate) resident_bytes: u64,
}

impl Process {
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits for the end; after the end it returns at once, as often as asked.
    pub(crate) async fn wait(&self) -> Exit {
        let mut end = self.end.clone();
        match end.wait_for(Option::is_some).await.map(|exit| *exit) {
            Ok(Some(exit)) => exit,
            // The spawning thread is gone, and with it, by SIGKILL, the process.
            Ok(None) | Err(_) => Exit {
                code: 128 + Signal::KILL.as_raw(),
            },
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&self) -> Option<Exit> {
        *self.end.borrow()
    }

    /// Asks it to stop: SIGTERM to the process itself, as to a container's first one.
    pub(crate) fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends it and what it started: SIGKILL to its group.
    pub(crate) fn kill(&self) {
        self.signal(Signal::KILL);
    }

    fn signal(&self, signal: Signal) {
        // Once the end is known the kernel may give the number to somebody else.
        if self.ended().is_some() {
            return;
        }
        if let Control::Container { engine, id } = &self.control {
            signal_container(engine.clone(), id.clone(), signal);
            return;
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else {
            return;
        };
        let sent = if signal == Signal::KILL {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
        if let Err(cause) = sent {
            tracing::debug!(pid = self.pid, %cause, "the process was gone before the signal");
        }
    }

    /// What it has used, from /proc; nothing once it has ended.
    pub(crate) fn usage(&self) -> Option<Usage> {
        if self.ended().is_some() {
            return None;
        }
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).ok()?;
        let statm = fs::read_to_string(format!("/proc/{}/statm", self.pid)).ok()?;
        let ticks = cpu_ticks(&stat)?;
        let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
        Some(Usage {
            cpu: Duration::from_millis(ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second()),
            resident_bytes: pages.saturating_mul(rustix::param::page_size() as u64),
        })
    }
}

/// In a task of its own: nobody who sends a signal waits for its effect.
fn signal_container(engine: Engine, id: String, signal: Signal) {
    let name = if signal == Signal::KILL { "KILL" } else { "TERM" };
    tokio::spawn(async move {
        if let Err(error) = engine.signal(&id, name).await {
            tracing::debug!(%error, container = id, "the container was gone before the signal");
        }
    });
}

/// utime + stime, fields 14 and 15 of `proc_pid_stat(5)`. The command name in field 2 may itself hold spaces and brackets.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

/// Sends what is printed, line by line, until the pipe closes or nobody listens any more. It goes on reading even then: a
/// process must not stall because nobody reads its log.
pub(super) async fn forward_lines(mut pipe: impl AsyncBufRead + Unpin, lines: mpsc::UnboundedSender<LogLine>) {
    let mut line: Vec<u8> = Vec::new();
    loop {
        let chunk = match pipe.fill_buf().await {
            Ok([]) | Err(_) => break,
            Ok(chunk) => chunk,
        };
        let room = LONGEST_LINE - line.len();
        let end = chunk.iter().take(room).position(|byte| *byte == b'\n');
        let taken = end.unwrap_or_else(|| chunk.len().min(room));
        line.extend_from_slice(&chunk[..taken]);
        pipe.consume(taken + usize::from(end.is_some()));
        if end.is_some() || line.len() == LONGEST_LINE {
            send(&mut line, &lines);
        }
    }
    if !line.is_empty() {
        send(&mut line, &lines);
    }
}

fn send(line: &mut Vec<u8>, lines: &mpsc::UnboundedSender<LogLine>) {
    let text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    line.clear();
    let unheard = lines.send(LogLine {
        at: OffsetDateTime::now_utc(),
        text,
    });
    drop(unheard);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_found_behind_an_odd_process_name() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194560 1 0 0 0 70 30 0 0 20 0 1 0 100 0 0";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(cpu_ticks("rubbish"), None);
    }

    #[tokio::test]
    async fn lines_are_split_at_line_ends_and_at_16_kib() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        let long = "x".repeat(LONGEST_LINE + 5);
        let printed = format!("one\r\n\n{long}\nlast");
        forward_lines(printed.as_bytes(), sender).await;
        let mut texts = Vec::new();
        while let Some(line) = receiver.recv().await {
            texts.push(line.text);
        }
        assert_eq!(texts, ["one", "", &long[..LONGEST_LINE], "xxxxx", "last"]);
    }
}

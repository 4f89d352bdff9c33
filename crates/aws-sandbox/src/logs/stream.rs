//! The lines of one stream: a ring in memory, and two files that take turns so that neither grows for ever.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Lines that can be asked for.
const REMEMBERED: usize = 10_000;
/// A file of this size is set aside, over the one that was set aside before.
const FULL: u64 = 8 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Event {
    /// Milliseconds since the epoch.
    #[serde(rename = "t")]
    pub(crate) at: i64,
    #[serde(rename = "i")]
    pub(crate) ingested: i64,
    #[serde(rename = "m")]
    pub(crate) text: String,
}

pub(crate) struct Stream {
    path: PathBuf,
    events: VecDeque<Event>,
    /// The number of the first remembered event, counted since the stream was opened.
    first: u64,
    sink: Sink,
}

enum Sink {
    Open {
        file: File,
        written: u64,
    },
    /// The disk refused; the lines in memory stay.
    Broken,
}

impl Stream {
    /// Reads what earlier runs wrote; a line that a crash cut short is skipped.
    pub(crate) fn open(path: PathBuf) -> Self {
        let mut events = VecDeque::new();
        for part in [aside(&path), path.clone()] {
            let Ok(file) = File::open(part) else { continue };
            for line in BufReader::new(file).lines().map_while(Result::ok) {
                if let Ok(event) = serde_json::from_str(&line) {
                    remember(&mut events, event);
                }
            }
        }
        let sink = Sink::open(&path);
        Self {
            path,
            events,
            first: 0,
            sink,
        }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if let Err(cause) = self.write(&event) {
            tracing::warn!(file = %self.path.display(), %cause, "a log stream is kept in memory only");
            self.sink = Sink::Broken;
        }
        self.first += remember(&mut self.events, event);
    }

    /// The remembered events with their numbers, oldest first.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = (u64, &Event)> + ExactSizeIterator {
        let first = self.first;
        self.events
            .iter()
            .enumerate()
            .map(move |(at, event)| (first + at as u64, event))
    }

    /// Deletes the files.
    pub(crate) fn remove(self) {
        for part in [aside(&self.path), self.path] {
            match fs::remove_file(&part) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(file = %part.display(), %cause, "a deleted log stream stays on disk");
                }
                Ok(()) | Err(_) => {}
            }
        }
    }

    fn write(&mut self, event: &Event) -> io::Result<()> {
        let Sink::Open { file, written } = &mut self.sink else {
            return Ok(());
        };
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        file.write_all(&line)?;
        *written += line.len() as u64;
        if *written >= FULL {
            fs::rename(&self.path, aside(&self.path))?;
            self.sink = Sink::open(&self.path);
        }
        Ok(())
    }
}

impl Sink {
    fn open(path: &Path) -> Self {
        let open = || {
            let file = File::options().create(true).append(true).open(path)?;
            let written = file.metadata()?.len();
            Ok::<_, io::Error>(Self::Open { file, written })
        };
        open().unwrap_or_else(|cause| {
            tracing::warn!(file = %path.display(), %cause, "a log stream is kept in memory only");
            Self::Broken
        })
    }
}

/// How many old events had to go.
fn remember(events: &mut VecDeque<Event>, event: Event) -> u64 {
    events.push_back(event);
    if events.len() > REMEMBERED {
        events.pop_front();
        return 1;
    }
    0
}

fn aside(path: &Path) -> PathBuf {
    path.with_extension("old")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_remembers_its_newest_lines_across_a_restart_and_a_change_of_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream");
        let event = |n: i64| Event {
            at: n,
            ingested: n,
            text: format!("{n} {}", "x".repeat(2000)),
        };
        let mut stream = Stream::open(path.clone());
        (0..12_000).for_each(|n| stream.push(event(n)));
        assert_eq!(stream.events().len(), REMEMBERED);
        assert_eq!(
            stream.events().next().map(|(number, event)| (number, event.at)),
            Some((2000, 2000))
        );
        let size = |path: &Path| fs::metadata(path).unwrap().len();
        assert!(size(&path) <= FULL && size(&aside(&path)) <= FULL + 4000);
        drop(stream);
        fs::OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .write_all(b"{\"t\":1,\"i")
            .unwrap();
        let again = Stream::open(path.clone());
        let last = again.events().next_back().map(|(_, event)| event.at);
        assert_eq!(last, Some(11_999), "a torn line is not a line");
        again.remove();
        assert!(!path.exists());
    }
}

//! Amazon CloudWatch Logs: what tasks print, by group and stream.
//!
//! Keeps the newest lines of a stream in memory and on disk. Never deletes by age and never charges for a query language:
//! filter patterns are the plain-text ones.

mod api;
mod events;
mod pattern;
mod stream;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::front::call::{Call, Reply};
use crate::front::persist::{PersistError, Persisted, StateDir};
use crate::wire::json::JsonError;
use stream::{Event, Stream};

pub(crate) struct Logs {
    account: String,
    folder: PathBuf,
    groups: Persisted<Regions>,
    /// By the name of their file.
    streams: Mutex<HashMap<String, Stream>>,
}

/// By region, then by name.
type Regions = BTreeMap<String, BTreeMap<String, Group>>;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    /// Milliseconds since the epoch, as all times of this service.
    created: i64,
    retention_days: Option<i64>,
    streams: BTreeMap<String, StreamAbout>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct StreamAbout {
    created: i64,
    /// Chosen by the sandbox; never a client's text.
    file: String,
}

impl Logs {
    /// Finds the lines of an earlier run again when they are asked for.
    pub(crate) fn open(dir: &StateDir, account: &str) -> Result<Self, PersistError> {
        let folder = dir.join("logs");
        std::fs::create_dir_all(&folder).map_err(|cause| PersistError::CreateFolder {
            path: folder.clone(),
            cause,
        })?;
        let groups = Persisted::open(dir, "logs")?;
        Ok(Self {
            account: account.to_owned(),
            folder,
            groups,
            streams: Mutex::default(),
        })
    }

    /// Adds a line, and its group and stream when they are new, as the `awslogs` driver of ECS does.
    pub(crate) fn append(&self, region: &str, group: &str, stream: &str, at: OffsetDateTime, text: String) {
        let file = self.ensure(region, group, stream);
        let event = Event {
            at: milliseconds(at),
            ingested: milliseconds(OffsetDateTime::now_utc()),
            text,
        };
        self.with(&file, |stream| stream.push(event));
    }

    /// Answers one call.
    pub(crate) fn answer(&self, call: &Call) -> Reply {
        api::answer(self, call).unwrap_or_else(|error: JsonError| error.reply(call))
    }

    fn ensure(&self, region: &str, group: &str, stream: &str) -> String {
        let known = self
            .groups
            .read(|groups| Some(groups.get(region)?.get(group)?.streams.get(stream)?.file.clone()));
        known.unwrap_or_else(|| {
            self.groups.write(|groups| {
                let group = groups
                    .entry(region.to_owned())
                    .or_default()
                    .entry(group.to_owned())
                    .or_insert_with(Group::new);
                group
                    .streams
                    .entry(stream.to_owned())
                    .or_insert_with(StreamAbout::new)
                    .file
                    .clone()
            })
        })
    }

    /// Works on a stream, which is read from disk when it was not used since the start.
    fn with<R>(&self, file: &str, work: impl FnOnce(&mut Stream) -> R) -> R {
        let mut streams = self.streams();
        if let Some(stream) = streams.get_mut(file) {
            return work(stream);
        }
        let stream = Stream::open(self.folder.join(file));
        work(streams.entry(file.to_owned()).or_insert(stream))
    }

    fn forget(&self, file: &str) {
        if let Some(stream) = self.streams().remove(file) {
            stream.remove();
        } else {
            Stream::open(self.folder.join(file)).remove();
        }
    }

    fn streams(&self) -> MutexGuard<'_, HashMap<String, Stream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn new() -> Self {
        Self {
            created: milliseconds(OffsetDateTime::now_utc()),
            retention_days: None,
            streams: BTreeMap::new(),
        }
    }
}

impl StreamAbout {
    fn new() -> Self {
        let file = uuid::Uuid::new_v4().simple().to_string();
        Self {
            created: milliseconds(OffsetDateTime::now_utc()),
            file,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "milliseconds since the epoch fit 64 bits"
)]
fn milliseconds(at: OffsetDateTime) -> i64 {
    (at.unix_timestamp_nanos() / 1_000_000) as i64
}

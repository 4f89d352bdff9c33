//! Users: a steady mixed load from a process of its own, whose acknowledged writes are read back at the end.

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use super::{Rehearsal, invocation::Running};

/// Enough for a tenth of it to be judged within a few seconds, little enough for two slow cores.
const RATE: u32 = 80;

/// A load that runs until it is finished.
pub(crate) struct Load {
    running: Running,
    report: PathBuf,
}

impl Load {
    /// Returns when the first second has been counted.
    #[track_caller]
    pub(crate) fn start(rehearsal: &Rehearsal) -> Self {
        let report = rehearsal.folder().join("load.json");
        let words = format!(
            "sandbox load local --rate {RATE} --connections 16 --report {}",
            report.display()
        );
        let mut running = rehearsal.start(&words);
        running.wait_for_line("its first second", |line| line.contains(" failed  p95 "));
        Self { running, report }
    }

    /// Ends it, and gives its report.
    #[track_caller]
    pub(crate) fn finish(self) -> Value {
        self.running.signal(Signal::TERM);
        let ended = self.running.finish();
        let text = fs::read_to_string(&self.report).unwrap_or_else(|error| panic!("{error}: {ended}"));
        serde_json::from_str(&text).unwrap()
    }
}

/// Panics unless every request was answered well and every acknowledged write was found again.
#[track_caller]
pub(crate) fn nothing_lost(report: &Value) {
    assert_eq!(report["failed"], 0, "{:#}", report["failures"]);
    assert_eq!(report["lost_writes"], 0, "{report:#}");
    assert_eq!(report["unverified_writes"], 0, "{report:#}");
    assert!(report["verified_writes"].as_u64().unwrap() > 0, "{report:#}");
}

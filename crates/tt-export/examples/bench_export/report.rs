//! The figures, for people and as JSON.

use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::Times;

/// Both ways, measured one after the other.
pub(crate) struct Round {
    pub(crate) by_hand: Times,
    pub(crate) tool: Times,
}

impl Round {
    fn json(&self) -> Value {
        let times = |times: &Times| {
            json!({
                "export_seconds": times.export.as_secs_f64(), "restore_seconds": times.restore.as_secs_f64(), "bytes": times.bytes,
            })
        };
        json!({ "by_hand": times(&self.by_hand), "tool": times(&self.tool) })
    }
}

/// Everything that was measured.
pub(crate) struct Figures {
    pub(crate) database_bytes: i64,
    pub(crate) connections: usize,
    pub(crate) rounds: Vec<Round>,
    pub(crate) peak_kilobytes: u64,
}

impl Figures {
    fn median(&self, of: impl Fn(&Round) -> f64) -> f64 {
        let mut values: Vec<f64> = self.rounds.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// The median of the rounds' own ratios: what disturbs the machine disturbs both halves of a round.
    fn ratio(&self, of: impl Fn(&Times) -> Duration) -> f64 {
        self.median(|round| of(&round.tool).as_secs_f64() / of(&round.by_hand).as_secs_f64())
    }

    pub(crate) fn json(&self) -> Value {
        let seconds = |of: &dyn Fn(&Round) -> Duration| self.median(|round| of(round).as_secs_f64());
        json!({
            "database_bytes": self.database_bytes,
            "connections": self.connections,
            "rounds": self.rounds.iter().map(Round::json).collect::<Vec<_>>(),
            "export": {
                "by_hand_seconds": seconds(&|round| round.by_hand.export),
                "tool_seconds": seconds(&|round| round.tool.export),
                "ratio": self.ratio(|times| times.export),
            },
            "restore": {
                "by_hand_seconds": seconds(&|round| round.by_hand.restore),
                "tool_seconds": seconds(&|round| round.tool.restore),
                "ratio": self.ratio(|times| times.restore),
            },
            "both": { "ratio": self.ratio(|times| times.export + times.restore) },
            "peak_megabytes": megabytes(self.peak_kilobytes),
        })
    }
}

impl fmt::Display for Figures {
    #[expect(clippy::cast_precision_loss, reason = "one digit behind the point is shown")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\nA database of {:.2} GB, {} connections, medians of {} rounds\n",
            self.database_bytes as f64 / 1e9,
            self.connections,
            self.rounds.len()
        )?;
        writeln!(f, "{:<10} {:>12} {:>12} {:>8}", "", "by hand", "tool", "ratio")?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, of: &dyn Fn(&Times) -> Duration| {
            let by_hand = self.median(|round| of(&round.by_hand).as_secs_f64());
            let tool = self.median(|round| of(&round.tool).as_secs_f64());
            writeln!(f, "{name:<10} {by_hand:>10.1} s {tool:>10.1} s {:>8.2}", self.ratio(of))
        };
        row(f, "export", &|times| times.export)?;
        row(f, "restore", &|times| times.restore)?;
        row(f, "both", &|times| times.export + times.restore)?;
        let size = |of: &dyn Fn(&Round) -> u64| self.median(|round| of(round) as f64 / 1e6);
        writeln!(
            f,
            "{:<10} {:>9.0} MB {:>9.0} MB",
            "on disk",
            size(&|round| round.by_hand.bytes),
            size(&|round| round.tool.bytes)
        )?;
        writeln!(f, "\npeak memory of the tool: {:.1} MB", megabytes(self.peak_kilobytes))
    }
}

#[expect(clippy::cast_precision_loss, reason = "it is a few digits")]
fn megabytes(kilobytes: u64) -> f64 {
    kilobytes as f64 * 1024.0 / 1e6
}

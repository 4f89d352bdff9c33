//! What a file says about itself in its leading comments.
//!
//! ```sql
//! -- no-transaction
//! -- tt: phase=contract breaks-below=0005
//! -- tt-waive: do-block renames 400 partitions, each by a statement that the loop writes out
//! ```
//!
//! Blank lines, a byte-order mark and carriage returns before or between them change nothing.

use crate::{
    fault::Fault,
    phase::{Phase, Version},
    words::{Comment, Cut},
};

/// The keys a header can have, for messages.
pub(crate) const KEYS: &str = "phase, breaks-below, batch";

/// Rules that a file is let off, with why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The rule's name.
    pub rule: String,
    /// Why it does not count here.
    pub reason: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) phase: Phase,
    pub(crate) breaks_below: Option<Version>,
    pub(crate) batch: Option<u32>,
    pub(crate) surroundings: Surroundings,
    pub(crate) waivers: Vec<Waiver>,
}

/// What a script runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surroundings {
    Transaction,
    Nothing,
}

/// Reads the header, or says everything that is wrong with it.
pub(crate) fn read(cut: &Cut<'_>) -> Result<Header, Vec<Fault>> {
    let mut faults = Vec::new();
    let first_word = cut.words.first().map_or(usize::MAX, |word| word.start);
    let leading = || {
        cut.comments
            .iter()
            .filter(|comment| comment.start < first_word)
            .map(Comment::trimmed)
    };

    let mut lines = leading().filter_map(|text| text.strip_prefix("tt:"));
    let keys = lines.next();
    if lines.next().is_some() {
        faults.push(Fault::TwoHeaders);
    }
    let mut read = Keys::default();
    match keys {
        None => faults.push(Fault::NoHeader),
        Some(keys) => read.take(keys, &mut faults),
    }
    let without = leading().any(|text| text == "no-transaction" || text.starts_with("no-transaction "));
    let waivers = waivers(cut, &mut faults);
    match read.phase {
        Some(phase) if faults.is_empty() => Ok(Header {
            phase,
            breaks_below: read.breaks_below,
            batch: read.batch,
            surroundings: if without {
                Surroundings::Nothing
            } else {
                Surroundings::Transaction
            },
            waivers,
        }),
        Some(_) | None => Err(faults),
    }
}

#[derive(Default)]
struct Keys {
    phase: Option<Phase>,
    breaks_below: Option<Version>,
    batch: Option<u32>,
}

impl Keys {
    fn take(&mut self, text: &str, faults: &mut Vec<Fault>) {
        for pair in text.split_whitespace() {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let bad = || Fault::BadValue {
                key: key.to_owned(),
                value: value.to_owned(),
            };
            let fits = match key {
                "phase" => value.parse().map(|phase| self.phase = Some(phase)).is_ok(),
                "breaks-below" => value.parse().map(|version| self.breaks_below = Some(version)).is_ok(),
                "batch" => {
                    self.batch = value.parse().ok().filter(|rows| (1..=1_000_000).contains(rows));
                    self.batch.is_some()
                }
                _ => {
                    faults.push(Fault::UnknownKey(key.to_owned()));
                    continue;
                }
            };
            if !fits {
                faults.push(bad());
            }
        }
        if self.phase.is_none() && faults.is_empty() {
            faults.push(Fault::NoHeader);
        }
    }
}

fn waivers(cut: &Cut<'_>, faults: &mut Vec<Fault>) -> Vec<Waiver> {
    let mut found = Vec::new();
    for comment in cut.comments.iter().map(Comment::trimmed) {
        let Some(text) = comment.strip_prefix("tt-waive:") else {
            continue;
        };
        match text.trim().split_once(char::is_whitespace) {
            Some((rule, reason)) if reason.split_whitespace().count() >= 3 => found.push(Waiver {
                rule: rule.to_owned(),
                reason: reason.trim().to_owned(),
            }),
            Some((rule, _)) => faults.push(Fault::WaiverWithoutReason(rule.to_owned())),
            None => faults.push(Fault::WaiverWithoutReason(text.trim().to_owned())),
        }
    }
    found
}

impl<'s> Comment<'s> {
    fn trimmed(&self) -> &'s str {
        self.text.trim()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::cut;

    fn header(text: &str) -> Result<Header, Vec<Fault>> {
        read(&cut(text))
    }

    #[test]
    fn a_header_is_found_below_blank_lines_and_other_comments() {
        for text in [
            "-- tt: phase=expand\nselect 1",
            "\n\n-- what it is for\n--tt: phase=expand\nselect 1",
            "-- tt:  phase=expand  \r\nselect 1",
        ] {
            let header = header(text).unwrap();
            assert_eq!(
                (header.phase, header.surroundings),
                (Phase::Expand, Surroundings::Transaction)
            );
        }
        let alone = header("\n-- no-transaction\n-- tt: phase=expand\nvacuum").unwrap();
        assert_eq!(alone.surroundings, Surroundings::Nothing);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, expected) in [
            ("select 1 -- tt: phase=expand", Fault::NoHeader),
            ("-- tt: batch=5", Fault::NoHeader),
            (
                "-- tt: phase=grow",
                Fault::BadValue {
                    key: "phase".into(),
                    value: "grow".into(),
                },
            ),
            ("-- tt: phase=expand colour=red", Fault::UnknownKey("colour".into())),
            ("-- tt: phase=expand\n-- tt: phase=contract", Fault::TwoHeaders),
            (
                "-- tt: phase=backfill batch=0",
                Fault::BadValue {
                    key: "batch".into(),
                    value: "0".into(),
                },
            ),
            (
                "-- tt: phase=expand\n-- tt-waive: do-block",
                Fault::WaiverWithoutReason("do-block".into()),
            ),
            (
                "-- tt: phase=expand\n-- tt-waive: do-block because",
                Fault::WaiverWithoutReason("do-block".into()),
            ),
        ] {
            assert_eq!(header(text).unwrap_err(), [expected], "{text}");
        }
    }

    #[test]
    fn a_waiver_stands_anywhere_and_has_a_reason() {
        let header =
            header("-- tt: phase=expand\nselect 1;\n-- tt-waive: whole-table-write it has nine rows\nselect 2")
                .unwrap();
        assert_eq!(header.waivers[0].rule, "whole-table-write");
        assert_eq!(header.waivers[0].reason, "it has nine rows");
    }
}

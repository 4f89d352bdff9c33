//! The three phases of a change, and the numbers that order them. Plain values, nothing else.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// When a migration runs, seen from the release that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Before the new code serves: adds what it needs, and the running release does not notice.
    Expand,
    /// After the expansion: fills what was added, in batches.
    Backfill,
    /// When no task of an older release runs any more: takes away what only that one used.
    Contract,
}

impl Phase {
    /// What `migrate` does when it is not told otherwise: all that the running release does not notice.
    pub const BEFORE_A_RELEASE: [Self; 2] = [Self::Expand, Self::Backfill];
    /// All three.
    pub const ALL: [Self; 3] = [Self::Expand, Self::Backfill, Self::Contract];

    /// The word in headers, on the command line and in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.as_str() == text)
            .ok_or_else(|| UnknownPhase(text.to_owned()))
    }
}

/// A word that names no phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no phase: expand, backfill or contract")]
pub struct UnknownPhase(String);

/// The number in a migration's file name; 0 stands for the empty schema.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(i64);

impl Version {
    /// The schema before the first migration.
    pub const NONE: Self = Self(0);

    /// A number that came from the database.
    pub fn new(number: i64) -> Self {
        Self(number)
    }

    /// The number as the database has it.
    pub fn number(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04}", self.0)
    }
}

impl FromStr for Version {
    type Err = NoVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or_else(|| NoVersion(text.to_owned()))
    }
}

/// A text that is no version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no version: a number such as 0007")]
pub struct NoVersion(String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_digits_and_nothing_else() {
        assert_eq!("0007".parse(), Ok(Version::new(7)));
        assert_eq!("7".parse::<Version>().unwrap().to_string(), "0007");
        for text in ["", "-1", "+1", "7a", "99999999999999999999"] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_phase_is_written_as_it_is_read() {
        for phase in Phase::ALL {
            assert_eq!(phase.as_str().parse(), Ok(phase));
        }
        assert!("Expand".parse::<Phase>().is_err());
    }
}

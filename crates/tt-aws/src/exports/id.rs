//! What an export is called.

use std::{fmt, str::FromStr};

use thiserror::Error;
use time::OffsetDateTime;

/// 1 to 63 lower-case letters, digits and hyphens: the name of a folder in S3, and a word on the command line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExportId(String);

/// Not the name of an export.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` cannot be an export's name: write 1 to 63 lower-case letters, digits and hyphens")]
pub struct BadExportId(String);

impl ExportId {
    /// Takes what people type.
    pub fn parse(text: &str) -> Result<Self, BadExportId> {
        let fits = text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits && (1..=63).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadExportId(text.to_owned()))
        }
    }

    /// `20260301-030000`, in UTC: sorts by time.
    pub fn of(now: OffsetDateTime) -> Self {
        let now = now.to_offset(time::UtcOffset::UTC);
        let (date, time) = (now.date(), now.time());
        Self(format!(
            "{:04}{:02}{:02}-{:02}{:02}{:02}",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second()
        ))
    }
}

impl fmt::Display for ExportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ExportId {
    type Err = BadExportId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_never_leaves_its_folder() {
        for good in ["a", "20260301-030000", "before-the-move"] {
            assert_eq!(ExportId::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "a/b", "..", "A", "a b", "a_b", &"a".repeat(64)] {
            assert!(ExportId::parse(bad).is_err(), "{bad}");
        }
        let now = OffsetDateTime::from_unix_timestamp(1_772_334_000).unwrap();
        assert_eq!(ExportId::of(now).to_string(), "20260301-030000");
    }
}
